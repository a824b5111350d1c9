"""A door for other programs, under a name that stays: dataset YML → definitions."""

from include.schema_sync.errors import InvalidDatasetYml
from include.schema_sync.yml.dataset import DatasetDefinition, parse_dataset_yml

__all__ = ["DatasetDefinition", "InvalidDatasetYml", "parse_dataset_yml"]
