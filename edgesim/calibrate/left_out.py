"""Errors of fits that did not see a row's model, its source or its device, and their coverage.

They are what ranges of predictions are made of (`edgesim.hardware.uncertainty`). `coverage` says
how far such ranges hold: the range of each row is made without the residuals of its model, or of
its source.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import log

from edgesim.calibrate.families import FAMILIES, members
from edgesim.calibrate.fit import fit
from edgesim.calibrate.rows import Row, rows
from edgesim.hardware.uncertainty import Conditions, Residual, Without, time_error

GROUPS: Mapping[Without, Callable[[Row], str]] = {
    "model": lambda row: row.architecture,
    "source": lambda row: row.published.source,
    "device": lambda row: row.device,
}
"""What each fit does not see."""
SHARE = 0.9
"""Share of published times that a range is to hold."""


def fitted_rows(family: str) -> list[Row]:
    """Return the rows of a family that may be fitted."""
    return [row for name in members(family) for row in rows(name) if row.published.fit]


@cache
def residuals_of(family: str) -> tuple[Residual, ...]:
    """Return the left-out errors of every row of `fitted_rows`, in their order."""
    own = fitted_rows(family)
    errors: list[dict[str, float]] = [{} for _ in own]
    for without, group in GROUPS.items():
        for name in dict.fromkeys(map(group, own)):
            found = fit(family, unseen=lambda row, group=group, name=name: group(row) == name)  # type: ignore[misc]
            for row, known in zip(own, errors, strict=True):
                if group(row) == name:
                    known[without] = log(found.time_s(row) / row.published.latency_s)
    return tuple(
        Residual(
            at=Conditions(
                family=family,
                device=row.device,
                runtime=row.published.runtime,
                precision=str(row.published.precision),
            ),
            model=row.architecture,
            source=row.published.source,
            errors=known,
        )
        for row, known in zip(own, errors, strict=True)
    )


def text() -> str:
    """Return the catalog's ``left_out.json``, a line for each row."""
    families = {name: family for family in FAMILIES for name in members(family)}
    lines = [
        json.dumps(
            {
                **{key: getattr(one.at, key) for key in Conditions.__dataclass_fields__},
                "model": one.model,
                "source": one.source,
                "errors": {key: round(error, 4) for key, error in one.errors.items()},
            }
        )
        for family in FAMILIES
        for one in residuals_of(family)
    ]
    rows_text = ",\n".join(lines)
    return f'{{"families": {json.dumps(families)},\n"rows": [\n{rows_text}\n]}}\n'


@dataclass(frozen=True, slots=True)
class Held:
    """One published time and its range.

    Attributes:
        row: the time.
        size: half width of its range of 90 %, as a logarithm.
        inside: whether the published time is in the range.
    """

    row: Residual
    size: float
    inside: bool


def coverage(found: Sequence[Residual], without: Without) -> list[Held]:
    """Return the range of each row, made of the rows of other models, sources or devices only.

    Args:
        found: residuals of all families.
        without: what a row's range does not see.
    """

    def group(one: Residual) -> str:
        return {"model": one.model, "source": one.source, "device": one.at.device}[without]

    held = []
    for row in found:
        others = [one for one in found if group(one) != group(row)]
        size = time_error(row.at, others, without).size(SHARE)
        held.append(Held(row, size, abs(row.errors[without]) <= size))
    return held
