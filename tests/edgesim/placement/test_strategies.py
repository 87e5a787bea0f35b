"""Single, replicate, class-wise and manual placement, and what is said when nothing fits."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgesim import api
from edgesim.common.errors import InputError, PlanError
from edgesim.graph import zoo
from edgesim.hardware import Cluster, Faults, Messaging, Network, Outage
from edgesim.placement import Model, PlacementRequest, Plan, Task, Transfer, place, strategy_names
from edgesim.placement.bounds import bottleneck
from edgesim.placement.parts import spread
from edgesim.placement.whole import idle_notes
from edgesim.simulate import Outcome, simulate
from edgesim.simulate.arrivals import SingleStream, Trace
from tests.edgesim.placement.cases import chain, joined, meshed, node, request

ROOT = Path(__file__).parents[3]


def vit(name: str = "vit_base_patch16_224", classes: int = 10) -> Model:
    info = zoo.info(name)
    return Model(
        name=name,
        graph=zoo.build(name, classes=classes),
        rebuild=partial(zoo.build, name),
        heads=info.heads,
        width=info.width,
        mlp_width=info.mlp_width,
        classes=classes,
    )


def cluster_of(count: int, memory: float = 4e9, rate: float = 1e9) -> Cluster:
    nodes = [node(f"pi-{i}", rate, memory) for i in range(count)]
    return joined([*nodes, node("hub", 2e9)], bandwidth=125e6, latency=0.25e-3)


def class_wise(cluster: Cluster, model: Model | None = None, **options: object) -> PlacementRequest:
    return PlacementRequest(
        model=model or vit(), cluster=cluster, input_node="hub", fusion_node="hub", options=options
    )


def test_strategies_are_registered() -> None:
    assert strategy_names() == ["class-wise", "manual", "pipeline", "replicate", "single"]


def test_unknown_strategy_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"did you mean 'pipeline'"):
        place(request(chain([1]), joined([node("a")])), "pipelines")


def test_two_of_twelve_heads_are_the_headline_of_ed_vit() -> None:
    # arXiv 2410.11650: up to 28.9 times less latency (MACs) and 34.1 times less size.
    plan = place(class_wise(cluster_of(10), submodels=10, heads=2), "class-wise")
    whole = vit().graph
    assert whole is not None
    parts = [task.graph for task in plan.branches[0].tasks if task.kind == "compute"]
    assert len(parts) == 10
    for part in parts:
        assert part is not None
        assert whole.params / part.params == pytest.approx(34.1, rel=0.01)
        assert whole.macs / part.macs == pytest.approx(28.9, rel=0.01)


@pytest.mark.parametrize("page", ["README.md", "docs/validation.md"])
def test_time_falls_less_than_work_as_the_pages_say(page: str) -> None:
    """28.9 times fewer MACs are fewer times less time, alone and end to end."""
    settings = ["placement.heads=2", "placement.submodels=10", "nodes.pi.count=10"]
    scenario = api.load(ROOT / "examples" / "five-pis.yaml", overrides=settings)
    plan = api.place(scenario)
    pi, model = scenario.cluster.nodes["pi-0"].device, scenario.placement.model
    assert model.graph is not None
    whole_s = pi.graph_cost(model.graph, "fp32").time_s
    part_s = max(
        task.cost(pi, "fp32", 1).time_s for task in plan.branches[0].tasks if task.kind == "compute"
    )
    end_s = bottleneck(plan, scenario.cluster).latency_s
    text = " ".join((ROOT / page).read_text(encoding="utf-8").split())
    computes = re.search(r"computes? ([0-9.]+) times faster", text)
    answers = re.search(r"answere?d? ([0-9.]+) times faster end to end", text)
    assert computes is not None
    assert answers is not None
    assert float(computes[1]) == pytest.approx(whole_s / part_s, abs=0.05)
    assert float(answers[1]) == pytest.approx(whole_s / end_s, abs=0.05)


@pytest.mark.parametrize(
    ("heads", "mib", "gmac"),
    [
        (9, 184.74, 10.035),
        (8, 146.22, 7.990),
        (6, 82.66, 4.599),
        (4, 37.11, 2.136),
        (3, 21.08, 1.253),
    ],
)
def test_sizes_of_sub_models(heads: int, mib: float, gmac: float) -> None:
    plan = place(class_wise(cluster_of(1), submodels=1, heads=heads), "class-wise")
    part = plan.branches[0].tasks[0].graph
    assert part is not None
    assert part.weight_bytes("fp32") / 2**20 == pytest.approx(mib, abs=0.005)
    assert part.macs / 1e9 == pytest.approx(gmac, abs=0.0005)


def test_most_heads_that_fit_the_memory_are_kept() -> None:
    kept = []
    for memory in (60e6, 200e6, 4e9):
        cluster = cluster_of(3, memory)
        plan = place(class_wise(cluster, submodels=3), "class-wise")
        heads = int(str(plan.details["heads"]))
        kept.append(heads)
        held = plan.memory_bytes()
        assert all(held[f"pi-{i}"] <= memory for i in range(3))
        if heads < 12:
            # One head more would not have fitted.
            more = place(class_wise(cluster_of(3), submodels=3, heads=heads + 1), "class-wise")
            assert max(more.memory_bytes().values()) > memory
    assert kept == sorted(kept)
    assert kept[-1] == 12


def test_budget_bounds_every_sub_model() -> None:
    plan = place(class_wise(cluster_of(3), submodels=6, memory_budget=30e6), "class-wise")
    parts = [task for task in plan.branches[0].tasks if task.kind == "compute"]
    assert all(task.memory_bytes <= 30e6 for task in parts)
    assert plan.details["heads"] == 3


def unlike(*memories: float, hub: float = float("inf")) -> Cluster:
    nodes = [node(f"pi-{i}", 1e9, memory) for i, memory in enumerate(memories)]
    return joined([*nodes, node("hub", 2e9, hub)], bandwidth=125e6, latency=0.25e-3)


def kept(plan: Plan) -> list[int]:
    """Heads of each sub-model, from the width of its class token."""
    graphs = [task.graph for task in plan.branches[0].tasks if task.kind == "compute"]
    return [graph["tokens"].output_elements // 64 for graph in graphs if graph]


def test_unlike_nodes_keep_as_many_heads_as_each_can_hold() -> None:
    # One head more than each keeps would not fit; sizes of facts in MiB of weights: k=2 9.55,
    # k=6 82.66, k=12 327.33.
    plan = place(class_wise(unlike(13e6, 4e9, 100e6), submodels=3), "class-wise")
    assert kept(plan) == [2, 12, 6]
    assert plan.details["heads"] == [2, 12, 6]
    features = {t.source: t.bytes for t in plan.branches[0].transfers if t.target == "fusion"}
    assert features == {"part-0": 4 * 128, "part-1": 4 * 768, "part-2": 4 * 384}
    fusion = plan.branches[0].tasks[-1].graph
    assert fusion
    assert fusion.macs == 1280 * 640 + 640 * 10


def test_fusion_that_does_not_fit_beside_its_part_takes_heads_there_first() -> None:
    whole = place(class_wise(unlike(4e9, 4e9), submodels=2, heads=12), "class-wise")
    part, _, fusion = (task.memory_bytes for task in whole.branches[0].tasks)
    # The hub holds a part and the fusion, and is one byte short of both at twelve heads.
    asked = replace(
        class_wise(unlike(4e9, hub=part + fusion - 1), submodels=2), nodes=("hub", "pi-0")
    )
    assert kept(place(asked, "class-wise")) == [11, 12]


def test_fusion_on_a_small_node_of_its_own_takes_heads_from_the_largest() -> None:
    # F = 64 (k0 + k1) features: F²/2 + F/2 + 5 F + 10 weights of four bytes, and activations.
    plan = place(class_wise(unlike(13e6, 4e9, hub=800e3), submodels=2), "class-wise")
    assert kept(plan) == [2, 7]
    held = plan.memory_bytes()
    assert held["hub"] <= 800e3
    more = place(class_wise(unlike(13e6, 4e9, hub=1e6), submodels=2), "class-wise")
    assert kept(more) == [2, 8]
    assert more.memory_bytes()["hub"] > 800e3


def test_fusion_that_never_fits() -> None:
    with pytest.raises(PlanError, match="not even one head fits, for the fusion: node 'hub'"):
        place(class_wise(unlike(4e9, 4e9, hub=1e3), submodels=2), "class-wise")


def test_heads_over_the_budget_say_by_how_much() -> None:
    asked = class_wise(cluster_of(2), submodels=2, heads=3, memory_budget=20e6)
    message = r"3 of 12 heads on node 'pi-0' takes .* bytes \(.*, .* more than the budget"
    with pytest.raises(PlanError, match=message):
        place(asked, "class-wise")


def test_nothing_fits_names_node_and_bytes() -> None:
    with pytest.raises(PlanError, match=r"not even one head fits: node 'pi-0' \(flops\) lacks"):
        place(class_wise(cluster_of(2, memory=1e6), submodels=2), "class-wise")


def test_budget_too_small_says_by_how_much() -> None:
    with pytest.raises(PlanError, match="more than the budget"):
        place(class_wise(cluster_of(2), submodels=2, memory_budget=1e6), "class-wise")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"submodels": 11}, "11 sub-models cannot share 10 classes"),
        ({"submodels": 0}, "expected a positive integer, got 0"),
        ({"submodels": 2, "heads": 13}, "expected an integer from 1 to 12, got 13"),
        ({"submodels": 2, "heads": 2.5}, "expected an integer from 1 to 12"),
        ({"memory_budget": "30 MB"}, "expected a positive number of bytes, got '30 MB'"),
        ({"memory_budget": -1.0}, "expected a positive number of bytes, got -1"),
    ],
)
def test_options_out_of_range(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        place(class_wise(cluster_of(2), **options), "class-wise")


def test_a_cnn_cannot_be_split_by_heads() -> None:
    model = Model(name="resnet18", graph=zoo.build("resnet18"))
    with pytest.raises(InputError, match="needs a Vision Transformer"):
        place(class_wise(cluster_of(2), model=model), "class-wise")


@given(st.integers(0, 60), st.integers(1, 12))
def test_spread_is_even_and_loses_nothing(length: int, count: int) -> None:
    runs = spread(tuple(range(length)), count)
    assert [item for run in runs for item in run] == list(range(length))
    sizes = [len(run) for run in runs]
    assert len(runs) == count
    assert max(sizes) - min(sizes) <= 1


def test_sub_models_are_spread_over_fewer_nodes() -> None:
    plan = place(class_wise(cluster_of(3), submodels=7, heads=2), "class-wise")
    homes = [task.node for task in plan.branches[0].tasks if task.kind == "compute"]
    assert [homes.count(f"pi-{i}") for i in range(3)] == [3, 2, 2]
    classes = [task.classes for task in plan.branches[0].tasks if task.kind == "compute"]
    assert sorted(sum(classes, ())) == list(range(10))


def test_class_wise_plays_as_by_hand() -> None:
    cluster = cluster_of(2)
    plan = place(class_wise(cluster, submodels=2, heads=3), "class-wise")
    traffic = SingleStream(requests=2)
    recording = simulate(plan, cluster, traffic, seed=1)
    first, second, fusion = plan.branches[0].tasks
    assert first.graph
    assert second.graph
    assert fusion.graph
    # The hub's link carries both images one beside the other, then both features arrive together.
    image_s = 2 * 150528 * 4 / 125e6 + 2 * 0.25e-3
    features_s = 2 * 192 * 4 / 125e6 + 2 * 0.25e-3
    expected = image_s + first.graph.flop / 1e9 + features_s + fusion.graph.flop / 2e9
    assert recording.latency_s[0] == pytest.approx(expected, rel=1e-12)
    assert recording.breakdown_s["fusion"][0] == pytest.approx(fusion.graph.flop / 2e9)


def test_class_wise_answers_without_a_part_that_is_lost() -> None:
    cluster = cluster_of(3)
    down = Faults(schedule=(Outage(at_s=0.0, duration_s=1e6),))
    broken = {**cluster.nodes, "pi-1": replace(cluster.nodes["pi-1"], faults=down)}
    cluster = replace(cluster, nodes=broken)
    plan = place(class_wise(cluster, submodels=3, heads=2), "class-wise")
    traffic = Trace(requests=1, times_s=(1.0,))
    recording = simulate(plan, cluster, traffic, seed=1)
    assert recording.outcome.tolist() == [Outcome.DEGRADED]
    ran = sorted(span.task for span in recording.spans if span.kind != "transfer")
    assert ran == ["fusion", "part-0", "part-2"]


def test_single_takes_the_soonest_that_fits() -> None:
    nodes = [node("slow"), node("fast", 3.0), node("small", 9.0, memory=1.0)]
    plan = place(request(chain([6, 6]), joined(nodes)), "single")
    assert [task.node for task in plan.branches[0].tasks] == ["fast"]
    far = place(request(chain([6, 6]), joined(nodes, bandwidth=1e-3), input_node="slow",
                        nodes=("slow", "fast")), "single")  # fmt: skip
    assert [task.node for task in far.branches[0].tasks] == ["slow"]


def test_single_that_fits_nowhere() -> None:
    nodes = [node("a", memory=10.0), node("b", memory=15.0)]
    with pytest.raises(PlanError, match=r"node 'b' \(flops\) lacks 5 bytes"):
        place(request(chain([1], params=3), joined(nodes)), "single")


def test_replicate_has_a_branch_for_each_node() -> None:
    nodes = [node("a"), node("b"), node("hub")]
    plan = place(request(chain([1]), joined(nodes), input_node="hub"), "replicate")
    assert [branch.tasks[0].node for branch in plan.branches] == ["a", "b"]
    moved = [(t.source, t.target, t.bytes) for t in plan.branches[0].transfers]
    assert moved == [(None, "chain", 4.0), ("chain", None, 4.0)]


def test_unreachable_nodes_are_both_named() -> None:
    nodes = [node("a"), node("hub")]
    cluster = Cluster(nodes={one.name: one for one in nodes}, network=Network(links={}, routes={}))
    with pytest.raises(PlanError, match="node 'hub' has no route to node 'a'"):
        place(request(chain([1]), cluster, input_node="hub"), "replicate")


def explicit(tasks: list[Task], transfers: list[tuple[str, str, float]]) -> PlacementRequest:
    model = Model(
        name="tasks",
        tasks=tuple(tasks),
        transfers=tuple(Transfer(source=a, target=b, bytes=size) for a, b, size in transfers),
    )
    return PlacementRequest(model=model, cluster=joined([node("A"), node("B", memory=8.0)]))


def test_manual_sorts_tasks_by_their_transfers() -> None:
    tasks = [Task(name="b", node="B", flop=1.0), Task(name="a", node="A", flop=2.0)]
    plan = place(explicit(tasks, [("a", "b", 3.0)]), "manual")
    assert [task.name for task in plan.branches[0].tasks] == ["a", "b"]


def test_manual_shows_the_cycle() -> None:
    tasks = [Task(name=name, node="A", flop=1.0) for name in "abc"]
    with pytest.raises(InputError, match="cycle a → b → c → a"):
        place(explicit(tasks, [("a", "b", 1), ("b", "c", 1), ("c", "a", 1)]), "manual")


def test_manual_memory_is_checked() -> None:
    tasks = [Task(name="a", node="B", flop=1.0, memory_bytes=11.0)]
    with pytest.raises(PlanError, match=r"node 'B' \(flops\) lacks 3 bytes"):
        place(explicit(tasks, []), "manual")


def test_manual_without_tasks() -> None:
    with pytest.raises(InputError, match=r"give model\.tasks"):
        place(request(chain([1]), joined([node("A")])), "manual")


def test_explicit_tasks_need_manual() -> None:
    with pytest.raises(InputError, match="needs 'manual'"):
        place(explicit([Task(name="a", node="A", flop=1.0)], []), "single")


def test_software_cost_of_messages_counts_in_the_least_latency() -> None:
    from edgesim.placement.bounds import bottleneck

    messaging = Messaging(per_message_s=0.5, per_byte_s=0.25)
    nodes = [node("a", messaging=messaging), node("hub", messaging=messaging)]
    plan = place(request(chain([3]), joined(nodes, 2.0, 1.0), input_node="hub"), "single")
    # 4 bytes: two links' latency, two ends' software, 4 / 2 s on the wire; there and back.
    way_s = 2 * 1.0 + 2 * (0.5 + 4 * 0.25) + 4 / 2.0
    bounds = bottleneck(plan, joined(nodes, 2.0, 1.0))
    assert bounds.latency_s == pytest.approx(2 * way_s + 6.0)
    assert bounds.resource == "a"
    assert bounds.capacity_per_s == pytest.approx(1 / 6)


@pytest.mark.parametrize(
    ("count", "submodels", "told"),
    [
        (5, 5, []),
        (6, 5, ["1 of 7 nodes computes nothing: pi-5; placement.submodels is 5, "
                "try --set placement.submodels=6"]),
        (12, 7, ["5 of 13 nodes compute nothing: pi-7, pi-8, pi-9 and 2 more; "
                 "placement.submodels is 7, try --set placement.submodels=10"]),
        (12, 10, ["2 of 13 nodes compute nothing: pi-10, pi-11; placement.submodels is 10"]),
    ],
)  # fmt: skip
def test_nodes_without_a_part_are_named(count: int, submodels: int, told: list[str]) -> None:
    asked = class_wise(cluster_of(count), submodels=submodels, heads=1)
    assert idle_notes(place(asked, "class-wise"), asked) == told


def test_single_says_that_the_input_node_was_no_candidate() -> None:
    told = (
        "single leaves out the input node 'in', which could run the model: name it in "
        "placement.nodes to let it"
    )
    for memory, notes in ((1e9, [told]), (1.0, [])):
        nodes = [node("in", memory=memory), node("far", memory=1e9)]
        asked = request(chain([1], params=1), meshed(nodes, {("in", "far"): 1.0}), input_node="in")
        plan = place(asked, "single")
        assert list(plan.memory_bytes()) == ["far"]
        assert idle_notes(plan, asked) == notes
    asked = replace(asked, cluster=meshed([node("in")], {}))
    assert idle_notes(place(asked, "single"), asked) == []


def test_nodes_that_are_meant_to_be_idle_are_not_named() -> None:
    cluster = cluster_of(3)
    asked = request(chain([1]), cluster, input_node="hub", nodes=("pi-0",))
    assert idle_notes(place(asked, "single"), asked) == []
    asked = replace(asked, nodes=(), standby=("pi-1",))
    assert idle_notes(place(asked, "single"), asked)[1:] == ["1 of 4 nodes computes nothing: pi-2"]
    # The one way from "in" to "far" is over "near", which has no memory to compute.
    nodes = [node("in", memory=0.0), node("near", memory=0.0), node("far", memory=1e9)]
    line = meshed(nodes, {("in", "near"): 1.0, ("near", "far"): 1.0})
    asked = request(chain([1], params=1), line, input_node="in")
    plan = place(asked, "single")
    assert list(plan.memory_bytes()) == ["far"]
    assert idle_notes(plan, asked) == []
    by_hand = Model(name="by hand", tasks=(Task(name="t", node="pi-0", flop=1.0),))
    asked = PlacementRequest(model=by_hand, cluster=cluster)
    assert idle_notes(place(asked, "manual"), asked) == []
