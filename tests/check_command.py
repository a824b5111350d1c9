"""The command line in this process, as its users see it."""

from __future__ import annotations

import io
import os
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest.mock import patch

from include.schema_sync.check.command import CONNECTION_VARIABLE, main


@dataclass(frozen=True)
class Done:
    exit_code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


def run(*arguments: str, uri: str | None = None, command: str = "check") -> Done:
    """``schema-sync check …`` with the connection of the environment variable."""
    environment = {key: value for key, value in os.environ.items() if key != CONNECTION_VARIABLE}
    if uri is not None:
        environment[CONNECTION_VARIABLE] = uri
    out, errors = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with redirect_stdout(out), redirect_stderr(errors), patch.dict(os.environ, environment, clear=True):
        try:
            code = main([command, *arguments])
        except SystemExit as error:  # argparse: help, version, wrong arguments
            code = int(error.code or 0)
    return Done(code, out.buffer.getvalue().decode(), errors.buffer.getvalue().decode())
