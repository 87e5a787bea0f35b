"""How far predicted times may miss: quantiles of a device's time over its prediction.

``left_out.json`` has, for every published time that a device of the catalog is fitted to, how far
fits missed it that did not see it: without its model, without its source, and without its device
(`edgesim.calibrate.left_out`). A prediction about a model on a device is as uncertain as they are:

- of a runtime and precision that times of the device are published in, as the fits without a model;
- of another, as those without a source;
- of a device without published times, as those without a device, which are wider.

Each residual counts by how near it is: 1 in the family of devices, times `NEAR` for each of the
same device, and of the same runtime and precision; those of all other families together count as
`OTHERS` rows. (Rows of the same kind of model are no closer: to weigh them more made ranges hold no
better.) The quantile is that of weighted conformal prediction
(Tibshirani, Barber, Candès, Ramdas, NeurIPS 2019): the row to come counts, too, as one that lies
beyond all, so that few rows give a wide range. It is of the absolute logarithm, so that a range is
as far below as above.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from math import exp
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgesim.hardware.device import Cost, Device

Without = Literal["model", "source", "device"]
"""What a fit did not see of a row."""
NEAR = 1.5
"""Weight of what is alike in one respect."""
OTHERS = 12.0
"""Rows that those of all other families count as, together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What a time is predicted of.

    Attributes:
        family: family of devices of `edgesim.calibrate.families`.
        device: catalog name.
        runtime: runtime that runs the model.
        precision: number format of the arithmetic.
    """

    family: str
    device: str
    runtime: str
    precision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """How far fits that did not see a published time missed it: ln(predicted / published).

    Attributes:
        at: what the time is of.
        model: name of its layers; ViT and DeiT of one size share it.
        source: publication.
        errors: logarithm of predicted over published time, by what the fit did not see.
    """

    at: Conditions
    model: str
    source: str
    errors: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeError:
    """Distribution of a device's time over the predicted one; its median is 1.

    Attributes:
        sizes: (rows,) ascending absolute logarithms.
        levels: (rows,) probability that the absolute logarithm is at most each of them.
        without: what the fits of these errors did not see.
        rows: rows of the device's own family among them.
    """

    sizes: NDArray[np.float64]
    levels: NDArray[np.float64]
    without: Without
    rows: int

    def size(self, share: float) -> float:
        """Return the absolute logarithm that ``share`` of times do not exceed.

        It is that of the first residual whose level reaches the share; beyond all levels, the
        largest.
        """
        at = int(np.searchsorted(self.levels, share - 1e-12))
        return float(self.sizes[min(at, len(self.sizes) - 1)])

    def factor(self, probability: float) -> float:
        """Return the quantile of the time over the predicted one."""
        size = self.size(abs(2.0 * probability - 1.0))
        return exp(size if probability > 0.5 else -size)

    def range_90(self) -> tuple[float, float]:
        """Return the quantiles of 5 and 95 %."""
        return self.factor(0.05), self.factor(0.95)


def time_error(at: Conditions, rows: Sequence[Residual], without: Without) -> TimeError:
    """Return the distribution of the errors under some conditions, from residuals.

    Args:
        at: what is predicted.
        rows: residuals, at least one; none of what is predicted.
        without: which of their errors count.
    """
    sizes = np.array([abs(one.errors[without]) for one in rows])
    near = np.array([_nearness(at, one.at) for one in rows])
    outside = near == 0.0
    if outside.any():
        near[outside] = OTHERS / outside.sum()
    order = np.argsort(sizes, kind="stable")
    levels = np.cumsum(near[order]) / (near.sum() + _nearness(at, at))
    return TimeError(sizes=sizes[order], levels=levels, without=without, rows=int((~outside).sum()))


def _nearness(at: Conditions, other: Conditions) -> float:
    """Return the weight of a residual; 0 where it is of another family."""
    if at.family != other.family:
        return 0.0
    same = (at.runtime, at.precision) == (other.runtime, other.precision)
    alike = (at.device == other.device) + same
    return float(NEAR**alike)


def error_of(device: Device, precision: str) -> TimeError | None:
    """Return the distribution of a device's errors at a precision; None where none is known."""
    known, families = residuals()
    name = _origin(device)
    if name not in families:
        return None
    at = Conditions(family=families[name], device=name, runtime=device.runtime, precision=precision)
    own = [one.at for one in known if one.at.device == name]
    published = any((one.runtime, one.precision) == (at.runtime, precision) for one in own)
    return time_error(at, known, "model" if published else "source" if own else "device")


def _origin(device: Device) -> str:
    """Return the catalog's name of a device, also of one that amends it; empty for any other."""
    from edgesim.hardware import catalog

    if device.name in catalog.names():
        return device.name
    if not device.published:
        return ""
    return next(
        (one for one in residuals()[1] if catalog.device(one).published == device.published), ""
    )


@cache
def residuals() -> tuple[tuple[Residual, ...], Mapping[str, str]]:
    """Return the residuals of the catalog, and the family of each device."""
    file = files("edgesim.hardware.catalog") / "left_out.json"
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    rows = tuple(
        Residual(
            at=Conditions(**{key: row[key] for key in Conditions.__dataclass_fields__}),
            model=row["model"],
            source=row["source"],
            errors=row["errors"],
        )
        for row in document["rows"]
    )
    return rows, document["families"]


def slowed(device: Device, factor: float) -> Device:
    """Return a device whose executions take a factor of the time, at the same power."""
    other = copy.copy(device)

    def scaled(cost: Cost) -> Cost:
        parts = {part: factor * joules for part, joules in cost.by_part_j.items()}
        return replace(cost, time_s=factor * cost.time_s, by_part_j=parts)

    # In place of the methods of its class, whatever its kind is.
    other.__dict__["graph_cost"] = lambda *given, **named: scaled(
        device.graph_cost(*given, **named)
    )
    other.__dict__["flop_cost"] = lambda *given, **named: scaled(device.flop_cost(*given, **named))
    return other
