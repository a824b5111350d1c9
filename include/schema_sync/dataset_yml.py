"""A door for other programs, under a name that stays: dataset YML → definitions."""

from .errors import InvalidDatasetYml
from .yml.dataset import DatasetDefinition, parse_dataset_yml

__all__ = ["DatasetDefinition", "InvalidDatasetYml", "parse_dataset_yml"]
