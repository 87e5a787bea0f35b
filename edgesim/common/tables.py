"""Tables for terminals."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def text_table(*headings: str, title: str = "", left: int = 1, folds: bool = True) -> Table:
    """Return an empty table.

    Args:
        headings: headings of its columns.
        title: above it, in bold; none if empty.
        left: number of columns that begin at the left; the others are numbers, at the right.
        folds: a narrow window breaks the left ones; else it cuts them.
    """
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", title_style="bold", box=None)
    for heading in headings[:left]:
        table.add_column(heading, overflow="fold" if folds else "ellipsis", no_wrap=not folds)
    for heading in headings[left:]:
        table.add_column(heading, justify="right", no_wrap=True)
    return table
