"""What commands have in common: options, tables for people, one JSON document for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from edgesim.common.errors import EdgesimError

if TYPE_CHECKING:
    from rich.console import Console

File = Annotated[Path, typer.Argument(metavar="FILE", help="Scenario file (YAML).")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="Replace a value; repeatable."),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json", metavar="", help="Print one JSON document on stdout, all else on stderr."
    ),
]
Tables = Callable[["Console"], None]
"""Prints what a command found, for people."""
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


def show(document: Any, tables: Tables, *, as_json: bool) -> None:
    """Print what a command found: as the one JSON document, or as tables."""
    if as_json:
        print_json(document)
    else:
        tables(stdout_console())


@contextmanager
def shown_if_lost(tables: Tables, *, as_json: bool) -> Iterator[None]:
    """Print what the block cannot write: it can still be seen."""
    try:
        yield
    except EdgesimError:
        if not as_json:
            tables(stdout_console())
        raise


def end(*, partial: bool = False, noted: bool = False, whole: str = "run; its result") -> None:
    """End a command whose result is written.

    Args:
        partial: an interrupt cut the run short.
        noted: one came when nothing was left to cut.
        whole: what had ended then, and what is whole.

    Raises:
        typer.Exit: one of them, with status 1.
    """
    if partial:
        stop("interrupted; what had finished is kept, marked partial")
    if noted:
        stop(f"interrupted after the end of the {whole} is whole")


def stop(message: str, status: int = 1) -> NoReturn:
    """End a command whose result is printed already: the message is no second document."""
    typer.echo(f"edgesim: {message}", err=True)
    raise typer.Exit(status)
