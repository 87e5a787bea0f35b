"""What ``edgesim deploy`` shows: bars of bytes while it sends, and a table of what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgesim.common.progress import bars
from edgesim.common.tables import text_table
from edgesim.common.text import duration, size

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

    from edgesim.serve.deploy import Row


class Bars:
    """One bar a node on stderr, in a terminal only."""

    def __init__(self) -> None:
        from rich.progress import DownloadColumn

        self._bars = bars(DownloadColumn(binary_units=True))
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Bars:
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bars.stop()

    def __call__(self, node: str, done: int, total: int) -> None:
        """Tell that a node has ``done`` of ``total`` bytes."""
        if node not in self._tasks:
            self._tasks[node] = self._bars.add_task(node, total=total)
        self._bars.update(self._tasks[node], completed=done, total=total)


def show(rows: Sequence[Row], simulated: Sequence[str], console: Console) -> None:
    """Print what came of every node."""
    from rich.markup import escape

    figures = ("sent", "held", "load", "warm-up", "one sample")
    table = text_table("node", "models", *figures, left=2)
    table.add_column("state", no_wrap=True)
    for row in rows:
        done = row.state == "deployed"
        slowest = max((row.inference_s or {}).values(), default=None)
        table.add_row(
            escape(row.node),
            escape(", ".join(row.models)),
            size(row.sent_bytes),
            size(row.held_bytes),
            duration(row.load_s if done else None),
            duration(row.warm_up_s if done else None),
            duration(slowest),
            row.state,
        )
    console.print(table)
    for row in rows:
        if row.error is not None:
            console.print(
                f"{escape(row.node)} ({row.address}): {escape(row.error)}", soft_wrap=True
            )
    if simulated:
        told = ", ".join(simulated)
        console.print(f"Without an address, and so not deployed to: {escape(told)}", soft_wrap=True)
