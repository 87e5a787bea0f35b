"""The console of tables and bars, in which no text steers the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich.console
from rich.progress import ProgressColumn
from rich.text import Text

from edgesim.common.text import foreign, visible

if TYPE_CHECKING:
    from rich.progress import Task


class Console(rich.console.Console):
    """A console that prints names and messages of files and other programs as `visible` text."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text, or a cell of a table, with its markup."""
        return super().render_str(visible(text), **options)


class Label(ProgressColumn):
    """The name of what a bar counts, without markup."""

    def render(self, task: Task) -> Text:
        """Return the name."""
        return Text(foreign(task.description, 60))
