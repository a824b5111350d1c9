"""``python -m include.schema_sync check``: dataset files of a repository against a live warehouse, without Airflow."""

from __future__ import annotations

import logging
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..nouns.discrepancy import Severity
from .formats import Format, github_report, json_report, sarif_report, text_report

if TYPE_CHECKING:
    from ..repair.suggest import PatchOptions
    from .run import CheckResult

CONNECTION_VARIABLE = "SCHEMA_SYNC_CHECK_CONNECTION"

# No tracebacks with local variables: one of them is the connection URI.
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


class FailOn(StrEnum):
    CRITICAL = "critical"
    WARNING = "warning"


@app.callback()
def main() -> None:
    """Schema Sync: do the datasets still match the warehouse?"""


@app.command(no_args_is_help=True)
def check(
    paths: Annotated[
        list[Path], typer.Argument(help="Dataset YML files, or folders that are searched for *.yml and *.yaml.")
    ],
    connection: Annotated[
        str,
        typer.Option(
            envvar=CONNECTION_VARIABLE,
            help="Where the tables are, as type://user:password@host:port/database?option=value; files as "
            "sqlite:///path and duckdb:///path. Better given by the environment variable: other users of the "
            "machine can read command lines.",
        ),
    ],
    dialect: Annotated[
        str | None, typer.Option(help="Kind of warehouse; by default what the connection begins with.")
    ] = None,
    output: Annotated[
        Format, typer.Option("--format", help="text: people. json: scripts. sarif: scanners. github: annotations.")
    ] = Format.TEXT,
    fail_on: Annotated[FailOn, typer.Option(help="The least severity that makes the check fail.")] = FailOn.CRITICAL,
    database: Annotated[str | None, typer.Option(help="Database of datasets that name none.")] = None,
    schema: Annotated[
        str | None, typer.Option(help="Schema of datasets that name none; by default the warehouse's usual one.")
    ] = None,
    add_undocumented: Annotated[
        bool, typer.Option("--add-undocumented", help="Suggested patches also add columns that are in no dataset.")
    ] = False,
    remove_missing: Annotated[
        bool,
        typer.Option(
            "--remove-missing", help="Suggested patches also comment out fields whose column is missing for any reason."
        ),
    ] = False,
    include_probable: Annotated[
        bool,
        typer.Option(
            "--include-probable",
            help="Suggest renames that are only probable too, in patches of their own.",
        ),
    ] = False,
    patch: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|-",
            help="Write the suggested patches to a file, for `git apply` or `patch -p1`; "
            "-: to standard output, and the report to standard error.",
        ),
    ] = None,
) -> None:
    """Check dataset YML files against a live warehouse, as the daily run does.

    Exit status: 0 nothing found, 1 found at or above --fail-on, 2 something could not be checked (whatever else was
    found: what could not be checked is never clean).
    """
    from ..errors import SchemaSyncError
    from ..repair.suggest import PatchOptions

    logging.getLogger("include.schema_sync").addHandler(logging.NullHandler())  # the report says it all
    try:
        options = PatchOptions(add_undocumented, remove_missing, include_probable)
        result = _check(paths, connection, dialect, database, schema, options)
        for note in result.skipped:
            print(f"{note.path}: {note.text}", file=sys.stderr)  # noqa: T201 (a command line's output)
        if not result.files and not result.unchecked:
            _refuse("No dataset YML was found in these paths. Name files, or folders that hold datasets.")
        _write(result, output, patch)
    except SchemaSyncError as error:
        _refuse(str(error))
    raise typer.Exit(result.exit_code(Severity(fail_on)))


def _check(
    paths: list[Path],
    connection: str,
    dialect: str | None,
    database: str | None,
    schema: str | None,
    options: PatchOptions,
) -> CheckResult:
    from ..settings import Settings
    from .connections import place_from_uri
    from .files import find_datasets
    from .run import check_files

    settings = Settings.from_environment()
    place = place_from_uri(connection, dialect, settings)
    found = find_datasets(paths, database=database, schema=schema or place.schema or "")
    return check_files(found, place, settings, options)


def _write(result: CheckResult, output: Format, patch: str | None) -> None:
    from rich.console import Console

    from ..errors import TerminalError

    stream = sys.stderr if patch == "-" else sys.stdout
    if output is Format.TEXT:
        text = text_report(result, with_patches=patch is None)
        Console(file=stream, highlight=False, soft_wrap=True).print(text, end="")
    else:
        render = {Format.JSON: json_report, Format.SARIF: sarif_report, Format.GITHUB: github_report}[output]
        print(render(result), file=stream)
    if patch is None:
        return
    data = "".join(each.diff for each in result.patches).encode("utf-8", "surrogatepass")
    if patch == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    try:
        Path(patch).write_bytes(data)
    except OSError as error:
        raise TerminalError(f"The patch cannot be written to {patch}: {error.strerror}. Name another file.") from None


def _refuse(message: str) -> None:
    print(f"schema-sync: {message}", file=sys.stderr)  # noqa: T201 (a command line's output)
    raise typer.Exit(2)
