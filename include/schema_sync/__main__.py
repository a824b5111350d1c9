"""``python -m include.schema_sync``, or ``python -m schema_sync`` where it is installed: the command line."""

import sys

from .check.command import main

if __name__ == "__main__":
    sys.exit(main(program=f"python -m {__package__}"))
