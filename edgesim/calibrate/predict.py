"""Predicted against published: of the catalog, and of models that the fit did not see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import median

from edgesim.calibrate.rows import graph_of
from edgesim.hardware import catalog
from edgesim.hardware.processor import Processor
from edgesim.hardware.processor_spec import Published


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One published figure and what the catalog's device says to it.

    Attributes:
        published: the figure.
        predicted_s: time of the batch; None where the model cannot be built here. Of the row's
            clock and runtime, where these are not the entry's.
        error: predicted / published - 1, of the time.
    """

    published: Published
    predicted_s: float | None
    error: float | None

    @property
    def buildable(self) -> bool:
        """Whether the model is in the zoo."""
        return self.predicted_s is not None


def predictions(device: str) -> list[Prediction]:
    """Return a prediction for every published figure of a device.

    Raises:
        InputError: no device has this name.
    """
    found = []
    for published in catalog.published(device):
        graph = graph_of(published)
        predicted_s = error = None
        if graph is not None:
            model = _at_clock(device, published.clock_ratio)
            time_s = model.graph_cost(graph, published.precision, published.batch).time_s
            predicted_s = time_s * catalog.runtime_factor(device, published.runtime)
            error = predicted_s / published.latency_s - 1.0
        found.append(Prediction(published=published, predicted_s=predicted_s, error=error))
    return found


def _at_clock(device: str, ratio: float) -> Processor:
    model = catalog.device(device)
    assert isinstance(model, Processor)
    if ratio == 1.0:
        return model
    return replace(
        model,
        peak_flop_s={key: rate * ratio for key, rate in model.peak_flop_s.items()},
        launch_overhead_s=model.launch_overhead_s / ratio,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Errors of rows whose architecture the fit did not see.

    Attributes:
        errors: by device, (model, precision, batch, error) of each row.
        alone: devices of whose rows the fit saw none, since all are of one architecture.
    """

    errors: Mapping[str, tuple[tuple[str, str, int, float], ...]]
    alone: frozenset[str]

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(len(rows) for rows in self.errors.values())

    @property
    def median(self) -> float:
        """Median absolute error of all rows."""
        return median(abs(row[3]) for rows in self.errors.values() for row in rows)

    def of(self, device: str) -> float:
        """Return the median absolute error of one device's rows."""
        return median(abs(row[3]) for row in self.errors[device])

    def __str__(self) -> str:
        lines = [f"Leave one model out: median error {self.median:.1%} of {self.rows} rows"]
        for device, rows in self.errors.items():
            note = "  (the fit saw no row of it)" if device in self.alone else ""
            lines.append(f"  {device:<24} {self.of(device):6.1%} of {len(rows)} rows{note}")
            lines.extend(
                f"    {model:<32} {precision:<5} batch {batch:<5} {error:+7.1%}"
                for model, precision, batch, error in rows
            )
        return "\n".join(lines)


def leave_one_model_out() -> Report:
    """Fit without each architecture in turn, on all devices; return the errors on its rows.

    ViT and DeiT of one size are one architecture: neither is used to predict the other.
    """
    from edgesim.calibrate.families import FAMILIES, members
    from edgesim.calibrate.fit import fit
    from edgesim.calibrate.rows import rows

    errors: dict[str, list[tuple[str, str, int, float]]] = {}
    alone = set()
    for family in FAMILIES:
        seen = {name: [row for row in rows(name) if row.published.fit] for name in members(family)}
        for name, own in seen.items():
            if len({row.architecture for row in own}) == 1:
                alone.add(name)
        every = dict.fromkeys(row.architecture for own in seen.values() for row in own)
        for architecture in every:
            found = fit(family, without=architecture)
            for name, own in seen.items():
                for row in own:
                    if row.architecture == architecture:
                        what = row.published
                        error = found.time_s(row) / what.latency_s - 1.0
                        errors.setdefault(name, []).append(
                            (what.model, what.precision, what.batch, error)
                        )
    return Report(
        errors={name: tuple(sorted(found)) for name, found in sorted(errors.items())},
        alone=frozenset(alone),
    )
