"""Plots of a study, with matplotlib."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgesim.common.errors import InputError, nearest
from edgesim.notebook.plots import COLOURS, axes
from edgesim.sweep import Table
from edgesim.sweep.table import Values

if TYPE_CHECKING:
    from matplotlib.axes import Axes


Level = float | str


@dataclass(frozen=True, slots=True)
class StudyPlots:
    """What can be drawn of a study."""

    table: Table

    def heatmap(self, x: str, y: str, value: str, ax: Axes | None = None) -> Axes:
        """Draw the mean of a result over two axes of the study.

        Args:
            x: an axis, left to right.
            y: another, bottom to top.
            value: a result.
            ax: to draw on; new ones if None.

        Raises:
            InputError: the study has no such column.
        """
        ax = axes(ax)
        columns = [self._levels(name) for name in (x, y)]
        wanted = self._numbers(value)
        (x_levels, x_at), (y_levels, y_at) = columns
        total = np.zeros((len(y_levels), len(x_levels)))
        many = np.zeros_like(total)
        good = np.isfinite(wanted)
        np.add.at(total, (y_at[good], x_at[good]), wanted[good])
        np.add.at(many, (y_at[good], x_at[good]), 1)
        with np.errstate(invalid="ignore"):
            mean = total / many
        picture = ax.imshow(mean, origin="lower", aspect="auto", cmap="cividis")
        ax.set_xticks(*_ticks(x_levels), rotation=45, ha="right")
        ax.set_yticks(*_ticks(y_levels))
        ax.set_xlabel(self._label(x))
        ax.set_ylabel(self._label(y))
        ax.figure.colorbar(picture, ax=ax, label=self._label(value))
        return ax

    def pareto(self, x: str, y: str, ax: Axes | None = None) -> Axes:
        """Draw two columns, and those points that no other beats in what the study aims at.

        Args:
            x: a column of numbers.
            y: another.
            ax: to draw on; new ones if None.

        Raises:
            InputError: the study has no such column, or aims at nothing.
        """
        ax = axes(ax)
        across, up = self._numbers(x), self._numbers(y)
        try:
            best = self.table.pareto()
        except ValueError as error:
            raise InputError(f"{error}; a study says so by 'optimize'") from None
        ax.plot(across[~best], up[~best], "o", color=COLOURS["idle"], alpha=0.5, label="others")
        order = np.argsort(across[best])
        ax.plot(
            across[best][order], up[best][order], "o-", color=COLOURS["work"],
            label="not dominated",
        )  # fmt: skip
        ax.set_xlabel(self._label(x))
        ax.set_ylabel(self._label(y))
        ax.legend()
        return ax

    def _levels(self, name: str) -> tuple[list[Level], NDArray[np.int64]]:
        values = self._values(name)
        if isinstance(values, tuple):
            names = list(dict.fromkeys(one or "" for one in values))
            return list(names), np.array([names.index(one or "") for one in values], np.int64)
        levels, at = np.unique(values, return_inverse=True)
        return levels.tolist(), at.astype(np.int64)

    def _numbers(self, name: str) -> NDArray[np.float64]:
        values = self._values(name)
        if isinstance(values, tuple):
            raise InputError(f"'{name}' is no column of numbers")
        return values

    def _values(self, name: str) -> Values:
        known = [one.name for one in self.table.columns]
        if name not in known:
            raise InputError(
                f"the study has no '{name}'{nearest(name, known)}; it has {', '.join(known)}"
            )
        return self.table.values[name]

    def _label(self, name: str) -> str:
        unit = self.table.column(name).unit
        return f"{name} ({unit})" if unit else name


def _ticks(levels: list[Level]) -> tuple[list[int], list[str]]:
    """Return where at most a dozen levels are named, and how."""
    step = -(-len(levels) // 12)
    at = list(range(0, len(levels), step))
    return at, [
        f"{one:.3g}" if isinstance(one := levels[index], float) else str(one) for index in at
    ]
