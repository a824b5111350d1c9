"""The parts of a dataset YML: what ``dataset_yml.parse_dataset_yml`` is made of. Pure."""
