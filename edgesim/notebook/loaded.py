"""A scenario that can be played."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgesim import api
from edgesim.graph import Graph
from edgesim.notebook.results import Played, Studied, study
from edgesim.report.page.frame import fragment
from edgesim.report.table import Table
from edgesim.scenario import Scenario, ScenarioError
from edgesim.scenario.document import of_data

if TYPE_CHECKING:
    from edgesim.placement import Plan
    from edgesim.simulate import Process


@dataclass(frozen=True, slots=True, repr=False)
class Loaded:
    """A scenario, read and checked.

    Attributes:
        scenario: with every name resolved.
    """

    scenario: Scenario

    def run(
        self,
        *,
        model: Graph | None = None,
        trace_requests: int = 1000,
        processes: Sequence[Process] = (),
    ) -> Played:
        """Simulate it and its baselines.

        Args:
            model: graph in the place of the scenario's model, such as `edgesim.trace` returns.
            trace_requests: how many leading requests leave rows in `Played.tasks`.
            processes: SimPy processes of your own beside it (`edgesim.simulate.Simulation`).

        Raises:
            PlanError: the model does not fit.
            InputError: a process fails, or the placement needs more of a model than its operators.
        """
        scenario = self.scenario if model is None else self.scenario.with_graph(model)
        return Played(api.run(scenario, trace_requests=trace_requests, processes=processes))

    def plan(self) -> Plan:
        """Return how the model is placed.

        Raises:
            PlanError: it does not fit.
        """
        return api.place(self.scenario)

    def sweep(
        self,
        axes: Mapping[str, Any],
        *,
        keep: Sequence[str] = (),
        workers: int = 1,
        out: str | Path | None = None,
        **more: Any,
    ) -> Studied:
        """Play it along axes.

        Args:
            axes: values by key path, as in a study file: a list, or ``{"from", "to", "steps",
                "scale"}``.
            keep: results to keep; those that a study keeps by itself if none.
            workers: processes that play.
            out: folder of the results; nothing is kept but the table if None.
            more: other keys of a study file, such as ``combine`` and ``optimize``.

        Raises:
            InputError: an axis or a result is wrong.
        """
        content: dict[str, Any] = {
            "name": self.scenario.name,
            "base": dict(self.scenario.document),
            "axes": dict(axes),
            **more,
        }
        if keep:
            content["keep"] = list(keep)
        return study(content, workers=workers, out=out)

    def __repr__(self) -> str:
        return repr(self.scenario)

    def _repr_html_(self) -> str:
        counts = Counter(node.device.name for node in self.scenario.cluster.nodes.values())
        traffic = self.scenario.traffic
        offered = traffic.offered_per_s
        rate = "" if offered is None else f" at {offered:g}/s"
        lines = [
            ("model", self.scenario.placement.model.name),
            ("placement", self.scenario.strategy),
            ("nodes", ", ".join(f"{many} × {name}" for name, many in counts.items())),
            ("traffic", f"{traffic.requests:,} requests, {traffic.arrivals}{rate}"),
            ("seed", str(self.scenario.seed)),
        ]
        return fragment([Table(self.scenario.name, ("", ""), lines, left=range(2))])


def load(
    source: str | Path | Mapping[str, Any],
    *,
    set: Mapping[str, Any] | None = None,  # noqa: A002  # as the command line calls it
    seed: int | None = None,
) -> Loaded:
    """Read a scenario.

    Args:
        source: path of the YAML file, or what such a file holds, as plain data.
        set: values by key path that replace what the source says.
        seed: seed that replaces the source's.

    Raises:
        InputError: the source is wrong; the message has every problem with its place.
    """
    values = of_data(set or {}, "set").data
    settings = [
        f"{key}={value if isinstance(value, str) else json.dumps(value)}"
        for key, value in values.items()
    ]
    try:
        return Loaded(api.load(source, overrides=settings, seed=seed))
    except ScenarioError as error:
        # Here nobody wrote the options of the command line.
        raise ScenarioError([re.sub("^--(set )?", "", one) for one in error.problems]) from None
