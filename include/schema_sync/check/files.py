"""Paths of a command line → datasets to check, each with the name of its file."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple
from uuid import NAMESPACE_URL, uuid5

from ..errors import InvalidDatasetYml, NoDatasetHere, TerminalError
from ..nouns.dataset import Dataset
from ..yml.dataset import DatasetDefinition, ReadDataset, definitions_of, read_dataset
from ..yml.document import MAX_BYTES, Mapping, read_documents
from ..yml.document import Sequence as ListNode

STANDARD_INPUT = Path("-")
ORGANIZATION_ID = str(uuid5(NAMESPACE_URL, "schema-sync:check"))
DATA_SOURCE_ID = str(uuid5(NAMESPACE_URL, "schema-sync:check:connection"))


@dataclass(frozen=True, slots=True)
class DatasetFile:
    """:ivar path: as it is shown: relative to the working folder where that is possible, with ``/``.

    :ivar key: relative to the repository's root, so that it is the same wherever the command runs.
    """

    path: str
    key: str
    dataset: Dataset
    schema_is_assumed: bool = False


class Defaults(NamedTuple):
    """What a dataset does not say itself."""

    data_source_id: str
    database: str | None
    schema: str
    schema_is_assumed: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """Something to say of a file that was not compared."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """:ivar unreadable: files that should have been checked, and could not be read."""

    files: tuple[DatasetFile, ...]
    skipped: tuple[Note, ...]
    unreadable: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """Patterns of paths and of datasets' names.

    :ivar root: what paths are relative to, as well as to the working folder.
    """

    root: Path
    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def takes(self, dataset: Dataset, path: str, key: str) -> bool:
        """True unless an ``exclude`` matches, or there are ``select`` and none does."""
        if not (self.select or self.exclude):
            return True
        names = {path, key, dataset.name, *(each.name for each in definitions_in(dataset) if each.name)}
        if any(fnmatchcase(name, pattern) for pattern in self.exclude for name in names):
            return False
        return not self.select or any(fnmatchcase(name, pattern) for pattern in self.select for name in names)


def find_datasets(
    files_of: Iterable[tuple[Path, bool]], selection: Selection, defaults: Callable[[Path], Defaults]
) -> Found:
    """Read the files, and leave out those that are no datasets or not selected.

    A file that is named is checked whatever it holds; one that a folder holds is skipped when it has none of a
    dataset's keys (a ``docker-compose.yml``, say).

    :param files_of: from :func:`candidates`.
    :param defaults: what a dataset of that file does not say itself.
    """
    files: list[DatasetFile] = []
    skipped: list[Note] = []
    unreadable: list[Note] = []
    for path, is_named in files_of:
        shown = relative_path(path, Path.cwd())
        try:
            text = _read(path)
        except (OSError, UnicodeDecodeError) as error:
            reason = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error.strerror or error)
            unreadable.append(Note(shown, f"cannot be read: {reason}"))
            continue
        if not is_named and (why := why_no_dataset(text)):
            skipped.append(Note(shown, f"skipped: {why}"))
            continue
        key = relative_path(path, selection.root)
        own = defaults(path)
        dataset = Dataset(
            id=str(uuid5(NAMESPACE_URL, f"schema-sync:check:{key}")),
            name=_name_of(text) or ("stdin" if path == STANDARD_INPUT else path.stem),
            organization_id=ORGANIZATION_ID,
            data_source_id=own.data_source_id,
            database_identifier=own.database,
            schema=own.schema,
            yml=text,
        )
        if selection.takes(dataset, shown, key):
            files.append(DatasetFile(shown, key, dataset, own.schema_is_assumed))
    return Found(tuple(files), tuple(skipped), tuple(unreadable))


def why_no_dataset(text: str) -> str | None:
    """Why a text is no dataset, or None: it is one, or may be meant to be one and cannot be read."""
    try:
        documents = read_documents(text)
    except InvalidDatasetYml:
        return None if _KEY_LINE.search(text) else _NO_KEYS
    mappings = [document for document in documents if isinstance(document, Mapping)]
    if not any(isinstance(each.entries.get(key), ListNode) for each in mappings for key in _DATASET_KEYS):
        return _NO_KEYS
    try:
        definitions_of(documents, "")
    except NoDatasetHere as error:
        return error.reason
    except InvalidDatasetYml:
        pass  # told when it is compared, if it is meant to be a dataset
    return "it has some of a dataset's keys, but no name" if all(map(_is_nameless, mappings)) else None


def _is_nameless(document: Mapping) -> bool:
    """True for a mapping with keys that no dataset has, and without those that say which table it is about."""
    keys = {key for key in document.entries if isinstance(key, str)}
    return keys.isdisjoint(_NAMING_KEYS) and not keys <= {*_DATASET_KEYS, *_PLACE_KEYS}


def relative_path(path: Path, root: Path) -> str:
    """Relative to ``root`` where it is inside of it, else absolute; with ``/``."""
    absolute = Path(os.path.abspath(path))
    return (absolute.relative_to(root) if absolute.is_relative_to(root) else absolute).as_posix()


def repository_of(folder: Path) -> Path:
    """The root of the repository that a folder is in; without one, the folder itself."""
    return next((each for each in (folder, *folder.parents) if (each / ".git").exists()), folder)


def definitions_in(dataset: Dataset, read: ReadDataset = read_dataset) -> list[DatasetDefinition]:
    """Those of a dataset that can be read; what cannot, the comparison reports."""
    try:
        return read(dataset)
    except InvalidDatasetYml:
        return []


def _name_of(text: str) -> str | None:
    """What a file with one dataset calls it; the product's row would be called so."""
    names = _NAME_LINE.findall(text)
    return names[0][1] if len(names) == 1 else None


_NAME_LINE = re.compile(r"""^name:[ \t]*(['"]?)([^'"#\n{}\[\]&*!|>]+?)\1[ \t\r]*(?:#.*)?$""", re.MULTILINE)
_SUFFIXES = (".yml", ".yaml")
_DATASET_KEYS = (
    "models", "semantic_models", "dimensions", "measures", "metrics", "filters", "relationships", "entities", "columns",
)  # fmt: skip
_NAMING_KEYS = ("name", "model", "models", "semantic_models")
_PLACE_KEYS = ("version", "description", "data_source_name", "database", "schema", "schema_sync")
_NO_KEYS = "it has none of a dataset's keys"
_KEY_LINE = re.compile(rf"^[ \t{{\"'-]*(?:{'|'.join(_DATASET_KEYS)})[\"']?\s*:", re.MULTILINE)


def candidates(paths: Iterable[Path]) -> Iterator[tuple[Path, bool]]:
    """(file, whether it was named itself), each file once, in the order of the paths and sorted within folders.

    Of folders ``*.yml`` and ``*.yaml``; folders that begin with a dot are not searched.

    :raises TerminalError: a path is not there.
    """
    seen: set[Path] = set()
    for path in paths:
        if path.is_dir():
            inside = sorted(each for each in _walk(path) if each.suffix.lower() in _SUFFIXES)
            found = [(each, False) for each in inside]
        elif path == STANDARD_INPUT or path.exists() or path.is_symlink():
            found = [(path, True)]
        else:
            raise TerminalError(f"There is no file or folder {path}. Name dataset YML files, or folders with them.")
        for each, is_named in found:
            key = each.resolve()
            if key not in seen:
                seen.add(key)
                yield each, is_named


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(root) / name for name in files)


def _read(path: Path) -> str:
    """The whole text, line ends as they are; of a file beyond the limit just enough to be refused for its size."""
    with sys.stdin.buffer if path == STANDARD_INPUT else path.open("rb") as file:
        data = file.read(MAX_BYTES + 4)
    return data.decode(errors="ignore") if len(data) > MAX_BYTES else data.decode()


def write_file(what: str, file: str, data: bytes) -> None:
    """:raises TerminalError: it cannot be written."""
    try:
        Path(file).write_bytes(data)
    except OSError as error:
        raise TerminalError(f"The {what} cannot be written to {file}: {error.strerror}. Name another file.") from None
