"""``schema-sync check``: dataset files of a repository against a live warehouse, without Airflow.

What the arguments mean is here; everything that reads files or talks to a warehouse is imported when it is needed, so
that ``--help`` and a wrong argument cost next to nothing.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from .. import __version__
from ..errors import SchemaSyncError, TerminalError
from ..nouns.discrepancy import Severity

if TYPE_CHECKING:
    from .configuration import Configuration
    from .run import CheckResult

CONNECTION_VARIABLE = "SCHEMA_SYNC_CHECK_CONNECTION"
FORMATS = ("text", "json", "github", "markdown", "sarif", "junit")
SHELLS = ("bash", "zsh", "fish")
NOT_CHECKED = 2  # exit status; wrong arguments have it too, as argparse does it


def main(arguments: Sequence[str] | None = None, *, program: str = "schema-sync") -> int:
    """:return: 0 nothing found, 1 found at or above ``--fail-on``, 2 something not checked or wrong arguments."""
    parser = _parser(program)
    if "_ARGCOMPLETE" in os.environ:  # the shell asks what may stand at the cursor
        import argcomplete

        argcomplete.autocomplete(parser)
    asked = parser.parse_args(arguments)
    if asked.command is None:
        parser.print_help(sys.stderr)
        return NOT_CHECKED
    # The report says it all: what the code below would log is for a task's log.
    logging.getLogger(__name__.rpartition(".check.")[0]).addHandler(logging.NullHandler())
    try:
        return _check(asked) if asked.command == "check" else _print_completion(asked.shell)
    except SchemaSyncError as error:
        print(f"schema-sync: {error}", file=sys.stderr)  # noqa: T201 (a command line's output)
        return NOT_CHECKED


def run() -> NoReturn:
    """The installed command."""
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # whoever read the report has gone: `schema-sync check | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(NOT_CHECKED)


def _check(asked: argparse.Namespace) -> int:
    from .configuration import Where, read_configuration

    given = Where(CONNECTION_VARIABLE, asked.connection, asked.dialect, asked.database, asked.schema)
    configuration = read_configuration(Path.cwd(), given)
    fail_on = Severity(asked.fail_on or configuration.fail_on)
    result = _result(asked, configuration)
    if not asked.quiet:
        for note in result.skipped:
            print(f"{note.path}: {note.text}", file=sys.stderr)  # noqa: T201
    if not result.files and not result.unchecked:
        raise TerminalError("No dataset YML was found in these paths. Name files, or folders that hold datasets.")
    if asked.write_baseline:
        from .baseline import DEFAULT_FILE, write_baseline

        written = write_baseline(asked.baseline or DEFAULT_FILE, result)
        print(f"schema-sync: {written}", file=sys.stderr)  # noqa: T201
        return NOT_CHECKED if result.unchecked else 0
    if asked.baseline:
        from .baseline import without_known

        result = without_known(result, asked.baseline)
    _write(result, asked, fail_on)
    return result.exit_code(fail_on)


def _result(asked: argparse.Namespace, configuration: Configuration) -> CheckResult:
    from dataclasses import replace

    from ..repair.suggest import PatchOptions
    from ..settings import Settings
    from .files import Selection
    from .progress import progress
    from .run import check_paths

    settings = Settings.from_environment()
    if asked.no_compile:
        settings = replace(settings, compile_expressions=False)
    selection = Selection(configuration.root, tuple(asked.select), (*configuration.exclude, *asked.exclude))
    with progress(quiet=asked.quiet) as now:
        return check_paths(
            asked.paths or configuration.paths,
            configuration,
            settings,
            selection,
            options=PatchOptions(asked.add_undocumented, asked.remove_missing, asked.include_probable),
            now=now,
        )


def _write(result: CheckResult, asked: argparse.Namespace, fail_on: Severity) -> None:
    from .files import write_file
    from .formats import rendered

    stream = sys.stderr if asked.patch == "-" else sys.stdout
    shown = result.showing(Severity(asked.min_severity))
    for name, file in asked.format or (("text", None),):
        if asked.quiet and name == "text" and not (shown.findings or shown.unchecked or shown.stale):
            continue
        to_terminal = stream if file is None else None
        text = rendered(shown, name, fail_on, with_patches=asked.patch is None, stream=to_terminal)
        if file is None:
            print(text, file=stream)
        else:
            write_file("report", file, f"{text}\n".encode())
    if asked.patch is None:
        return
    data = "".join(each.diff for each in result.patches).encode("utf-8", "surrogatepass")
    if asked.patch == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
    else:
        write_file("patch", asked.patch, data)


def _format(text: str) -> tuple[str, str | None]:
    name, _, file = text.partition("=")
    if name not in FORMATS:
        raise argparse.ArgumentTypeError(f"{name!r} is no format; choose from {', '.join(FORMATS)}")
    return name, file or None


def _print_completion(shell: str) -> int:
    try:
        from argcomplete.shell_integration import shellcode
    except ImportError:
        raise TerminalError("Completion needs the package argcomplete. Run: pip install argcomplete") from None
    print(shellcode(["schema-sync"], shell=shell))  # noqa: T201
    return 0


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program, description="Schema Sync: do the datasets still match the warehouse?", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"schema-sync {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    completion = commands.add_parser(
        "completion",
        help="print what makes a shell complete this command",
        description="Print what makes a shell complete this command.",
        epilog='bash and zsh: eval "$(schema-sync completion bash)" in the shell\'s start file. '
        "fish: schema-sync completion fish > ~/.config/fish/completions/schema-sync.fish",
    )
    completion.add_argument("shell", choices=SHELLS)
    _add_check(commands)
    return parser


def _add_check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    check = commands.add_parser(
        "check",
        help="compare dataset files with a live warehouse",
        description="Compare dataset YML files with a live warehouse, as the daily run does.",
        epilog="Exit status: 0 nothing found, 1 found at or above --fail-on, 2 something could not be checked "
        "(whatever else was found: what could not be checked is never clean), or wrong arguments.",
        allow_abbrev=False,
    )
    check.add_argument(
        "paths", nargs="*", type=Path, metavar="PATH",
        help="dataset YML files, or folders that are searched for *.yml and *.yaml; "
        "by default those of schema-sync.toml or [tool.schema-sync] in pyproject.toml",
    )  # fmt: skip
    for title, options in _OPTIONS.items():
        group = check.add_argument_group(title)
        for name, settings, text in options:
            option = group.add_argument(*name.split("/"), help=text, **settings)
            if name == "--format":
                # What a shell offers; argcomplete looks for this attribute, which argparse does not know.
                option.completer = lambda **_: FORMATS  # type: ignore[attr-defined]


_FLAG: dict[str, Any] = {"action": "store_true"}
_PATTERNS: dict[str, Any] = {"action": "append", "default": [], "metavar": "PATTERN"}
_FORMAT: dict[str, Any] = {"action": "append", "type": _format, "metavar": "FORMAT[=FILE]"}
# {group: (option, what argparse is told of it, help)}
# fmt: off
_OPTIONS: dict[str, tuple[tuple[str, dict[str, Any], str], ...]] = {
    "what is checked": (
        ("--connection", {"metavar": "URI"},
         ("where the tables are, as type://user:password@host:port/database?option=value; files as sqlite:///path and "
          f"duckdb:///path. Better given by the environment variable {CONNECTION_VARIABLE}: other users of the machine "
          "can read command lines")),
        ("--dialect", {"metavar": "TYPE"}, "kind of warehouse (default: what the connection begins with)"),
        ("--database", {"metavar": "NAME"}, "database of datasets that name none"),
        ("--schema", {"metavar": "NAME"}, "schema of datasets that name none (default: the warehouse's usual one)"),
        ("--select", _PATTERNS,
         "only files whose path, or one of whose datasets' names, matches: 'sales/*', 'orders'; may be repeated"),
        ("--exclude", _PATTERNS, "not these, as --select; may be repeated"),
    ),
    "what counts": (
        ("--fail-on", {"choices": ("critical", "warning")},
         "the least severity that fails the check (default: critical)"),
        ("--min-severity", {"choices": tuple(map(str, Severity)), "default": "info"},
         "the least severity that is shown (default: info); the counts include all"),
        ("--baseline", {"metavar": "FILE"}, "findings that are in this file are known: not shown, not failing"),
        ("--write-baseline", _FLAG,
         "write what is found now to the baseline (default: schema-sync-baseline.json) instead of failing"),
    ),
    "what is written": (
        ("--format", _FORMAT,
         ("text: people; json: scripts; github: annotations; markdown: a pull request's comment; sarif: code scanning; "
          "junit: test reports (default: text). With =FILE it is written there; may be repeated")),
        ("--patch", {"metavar": "FILE|-"},
         ("write the suggested patches to a file, for git apply or patch -p1; -: to standard output, and the report to "
          "standard error")),
        ("--add-undocumented", _FLAG, "patches also add the columns that are in no dataset"),
        ("--remove-missing", _FLAG, "patches also comment out fields whose column is missing for any reason"),
        ("--include-probable", _FLAG,
         "suggest renames that are only probable too, in patches of their own: look at each before you apply it"),
        ("--no-compile", _FLAG,
         "compare names and types alone: do not let the warehouse compile (and not run) expressions and joins"),
        ("-q/--quiet", _FLAG, "say nothing of what is clean or skipped"),
    ),
}
# fmt: on
