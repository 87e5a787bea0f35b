"""Tables for terminals, and cells of those for spreadsheets."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def console_table(
    *headings: str, title: str = "", left: Collection[int] = (0,), folds: bool = True
) -> Table:
    """Return an empty table for a terminal.

    Args:
        headings: headings of its columns.
        title: above it, in bold; none if empty.
        left: numbers of the columns of text, which begin at the left; the others are of numbers,
            at the right.
        folds: a narrow window breaks the columns of text; else it cuts them.
    """
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", title_style="bold", box=None)
    for number, heading in enumerate(headings):
        if number in left:
            table.add_column(heading, overflow="fold" if folds else "ellipsis", no_wrap=not folds)
        else:
            table.add_column(heading, justify="right", no_wrap=True)
    return table


_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


def no_formula(text: str) -> str:
    """Return the text of a CSV cell; what a spreadsheet could run begins with an apostrophe.

    That is a text that begins with ``=``, ``+``, ``-`` or ``@`` and is no number.
    """
    runs = _FORMULA.match(text) is not None and _NUMBER.fullmatch(text) is None
    return f"'{text}" if runs else text


def csv_cell(text: str) -> str:
    """Return a text as a cell of a line of CSV, in quotes where it needs them; see `no_formula`."""
    text = no_formula(text)
    if any(letter in text for letter in ',"\n\r'):
        doubled = text.replace('"', '""')
        return f'"{doubled}"'
    return text


def cell_text(cell: str) -> str:
    """Return the text that `no_formula` made a cell of."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
