"""What commands print: tables for people, one JSON document for programs."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgesim.common.errors import EdgesimError

if TYPE_CHECKING:
    from rich.console import Console

Json = Annotated[
    bool,
    typer.Option(
        "--json", metavar="", help="Print one JSON document on stdout, all else on stderr."
    ),
]
_WIDTH_OF_FILES = 120
_LEAST_WIDTH = 80


def stdout_console() -> Console:
    """Return a console on stdout that breaks no figure."""
    from rich.console import Console

    made = Console(highlight=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        # Nobody's window bounds a file or a pipe.
        made.width = _WIDTH_OF_FILES
    # A narrower window may break lines; figures that are cut would be wrong.
    made.width = max(made.width, _LEAST_WIDTH)
    return made


def print_json(document: Any) -> None:
    """Print the one document of a command.

    Raises:
        EdgesimError: there is no stdout.
    """
    if sys.stdout is None:
        raise EdgesimError("cannot print: stdout is closed")
    sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")
