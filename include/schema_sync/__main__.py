"""``python -m include.schema_sync``: the command line."""

from .check.command import app

if __name__ == "__main__":
    app(prog_name="python -m include.schema_sync")
