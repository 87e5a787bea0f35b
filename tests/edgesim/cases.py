"""Small scenarios that play in milliseconds, without catalog or files."""

from __future__ import annotations

from typing import Any

from edgesim.hardware import Cluster, Node, Power
from edgesim.hardware.topology import star
from edgesim.placement import Model, PlacementRequest
from edgesim.results.result import Result, summarise
from edgesim.results.run import Run
from edgesim.scenario.scenario import Baseline, Scenario
from edgesim.simulate import simulate
from edgesim.simulate.arrivals import Poisson
from tests.edgesim.placement.cases import chain
from tests.edgesim.simulate.models import Flops

POWER = Power(idle_w=2.0, busy_w=10.0, sending_w=3.0, receiving_w=2.5)


def scenario(strategy: str = "replicate", **fields: Any) -> Scenario:
    """Two nodes and a hub around a switch, and a model of 6 FLOP."""
    device = Flops(rate=3.0, power=POWER, name="board")
    options = fields.pop("node_options", {})
    nodes = {name: Node(name=name, device=device, **options) for name in ("a", "b", "hub")}
    network = star(list(nodes), bandwidth_byte_s=400.0, latency_s=0.01, energy_per_byte_j=0.5)
    defaults: dict[str, Any] = {
        "name": "small",
        "seed": 5,
        "strategy": strategy,
        "placement": PlacementRequest(
            model=Model(name="chain", graph=chain([1, 2])),
            cluster=Cluster(nodes=nodes, network=network),
            input_node="hub",
        ),
        "traffic": Poisson(requests=200, rate_per_s=0.4),
        "baselines": (
            Baseline(name="fast", device=Flops(rate=60.0, power=POWER), precision="fp32"),
        ),
        "replications": 1,
        "document": {"name": "small", "seed": 5},
    }
    return Scenario(**{**defaults, **fields})


def play(what: Scenario | None = None, **fields: Any) -> Result:
    """Play a scenario from placement to result."""
    from edgesim.placement import place
    from edgesim.results import baselines

    what = what or scenario(**fields)
    plan = place(what.placement, what.strategy)
    recordings = tuple(
        simulate(
            plan,
            what.cluster,
            what.traffic,
            seed=what.seed,
            replication=number,
            recovery=what.recovery,
        )
        for number in range(what.replications)
    )
    rows = tuple(baselines.simulate_baselines(what))
    return summarise(
        Run(scenario=what, plan=plan, recordings=recordings, baselines=rows, wall_s=0.1)
    )
