"""Executions on a node, and what is said of how they vary."""

from __future__ import annotations

import numpy as np
import pytest

from edgesim import api
from edgesim.artifact import load
from edgesim.calibrate.profile.served import Timed, find_cooling, spread
from edgesim.graph import fingerprint, zoo
from edgesim.graph.mlp import mlp
from edgesim.hardware import Node, Variability
from edgesim.hardware.processor import Processor
from edgesim.serve.manifest import Entry
from edgesim.serve.models import graph_of
from edgesim.simulate.streams import service_factors
from tests.edgesim.command import ROOT

FASHION = ROOT / "examples" / "fashion-2"


def timed(generator: np.random.Generator, mean_s: float, share: float) -> Timed:
    rests_s = np.exp(generator.uniform(np.log(1e-3), np.log(0.1), 600))
    varies = generator.gamma(100.0, 0.01, 600)
    times_s = mean_s * varies * (1 + share * (1 - np.exp(-rests_s / 8e-3)))
    return Timed(model="m", graph=mlp("m", (2, 3)), batch=1, times_s=times_s, rests_s=rests_s)


def test_a_rest_is_told_from_what_a_model_takes() -> None:
    generator = np.random.default_rng(1)
    found = find_cooling([timed(generator, 2e-3, 0.4), timed(generator, 5e-4, 0.4)])
    # Six hundred executions that vary by a tenth.
    assert found.cooling.share == pytest.approx(0.4, abs=0.05)
    assert found.cooling.time_s == pytest.approx(8e-3, rel=0.35)
    assert found.hot_s == pytest.approx((2e-3, 5e-4), rel=0.04)


def test_spread_has_the_mean_and_the_tail_of_what_was_measured() -> None:
    generator = np.random.default_rng(2)
    some = [timed(generator, 1e-3, 0.0)]
    quantiles = spread(some, find_cooling(some))
    assert len(quantiles) == 21
    assert np.trapezoid(quantiles, dx=1 / 20) == pytest.approx(1.0, abs=0.003)
    device = Processor(name="d", peak_flop_s={"fp32": 1.0}, spread=quantiles)
    node = Node(name="n", device=device, variability=Variability(kind="measured"))
    draw = service_factors(node, 1, 0)
    assert draw is not None
    drawn = [draw() for _ in range(20_000)]
    ratios = some[0].times_s / some[0].times_s.mean()
    for share in (0.1, 0.5, 0.9):
        assert np.quantile(drawn, share) == pytest.approx(np.quantile(ratios, share), rel=0.01)
    assert np.quantile(drawn, 0.99) == pytest.approx(np.quantile(ratios, 0.99), rel=0.03)


def test_few_executions_say_nothing_of_how_they_vary() -> None:
    one = timed(np.random.default_rng(0), 1e-3, 0.0)
    few = Timed(
        model="m", graph=one.graph, batch=1, times_s=one.times_s[:50], rests_s=one.rests_s[:50]
    )
    assert spread([few], find_cooling([few])) == ()


def test_what_is_timed_has_the_fingerprint_of_what_a_plan_places() -> None:
    import partition

    scenario = api.load(ROOT / "examples" / "real-nodes.yaml")
    tasks = {task.name: task for task in api.place(scenario).branches[0].tasks}
    models = partition.read_manifest(FASHION).models
    artifact = load(FASHION)
    graphs = {f"part-{number}": part.graph for number, part in enumerate(artifact.parts)}
    assert models.keys() == {*graphs, "fusion"}
    for name, model in models.items():
        graph = graph_of(Entry(name=name, sha256="", model=model))
        assert fingerprint(graph) == fingerprint(graphs.get(name, artifact.fusion))
        assert fingerprint(graph) == fingerprint(tasks[name].graph)


@pytest.mark.parametrize(
    "name", ["vit_tiny_patch16_224", "vit_small_patch16_224", "deit_tiny_distilled_patch16_224"]
)
def test_a_model_that_is_served_is_the_catalog_s(name: str) -> None:
    from edgesim.artifact import part_graph
    from partition.config import preset

    served = part_graph(name, preset(name))
    assert fingerprint(served) == fingerprint(zoo.build(name))
