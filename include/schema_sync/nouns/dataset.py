"""Organizations, their data sources and the datasets to check, as the application database has them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DataSource:
    """One configured connection of an organization. ``type`` is the product's word, not yet a dialect."""

    id: str
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Organization:
    id: str
    name: str
    data_sources: tuple[DataSource, ...]


@dataclass(frozen=True, slots=True)
class Dataset:
    """One row of ``datasets`` to check; ``yml`` is its text as stored."""

    id: str
    name: str
    organization_id: str
    data_source_id: str
    database_identifier: str | None
    schema: str
    yml: str

    @property
    def yml_hash(self) -> str:
        """Tells whether the text changed between introspection and diff."""
        return hashlib.sha256(self.yml.encode("utf-8", "surrogatepass")).hexdigest()[:16]
