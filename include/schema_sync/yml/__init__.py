"""The parts of a dataset YML: what ``yml.dataset.parse_dataset_yml`` is made of. Pure."""
