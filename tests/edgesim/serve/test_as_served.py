"""The plan as real nodes play it: its times by hand, and what is told of it in the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from edgesim import api
from edgesim.placement.bounds import bottleneck
from edgesim.scenario import Scenario
from edgesim.serve import messages
from edgesim.serve.as_served import Served, as_served
from edgesim.serve.both.run import predict
from edgesim.serve.coordinator.policy import Policy
from edgesim.serve.coordinator.work import Input, Sizes, find_work, infer_request, message_sizes
from edgesim.serve.jobs import Answer
from edgesim.simulate import Outcome, Recording, simulate
from edgesim.simulate.recovery import Recovery
from tests.edgesim.command import ROOT

ASK_S, REQUEST_S, TAKE_S, DELAY_S = 0.3e-3, 1e-3, 0.2e-3, 0.05e-3
PART_S, FUSION_S = 4e-3, 1e-3
LATENCY_S = 0.1e-3
"""Of each of the two links between two nodes."""
MESSAGING = {
    "per_message": TAKE_S,
    "delay": DELAY_S,
    "asking": {"per_request": REQUEST_S, "per_message": ASK_S},
}


def load(cores: int = 2, nodes: dict[str, Any] | None = None, **fields: Any) -> Scenario:
    """Two parts of equal time on nodes of their own, and a hub that fuses."""
    from edgesim import artifact
    from edgesim.graph import fingerprint

    folder = ROOT / "examples" / "fashion-2"
    split = artifact.load(folder)
    timed = [(part.graph, PART_S) for part in split.parts] + [(split.fusion, FUSION_S)]
    device = {
        "peak": {"fp32": 1e9},
        "cores": cores,
        "messaging": MESSAGING,
        "measured": [
            {"model": graph.name, "operators": fingerprint(graph), "precision": "fp32",
             "time": time_s, "runs": 1}
            for graph, time_s in timed
        ],
    }  # fmt: skip
    document = {
        "name": "served",
        "seed": 3,
        "model": {"artifact": str(folder)},
        "placement": {"strategy": "class-wise", "input": "hub", "fusion": "hub"},
        "nodes": nodes
        or {
            "hub": {"device": device, "address": "127.0.0.1:1"},
            "pi": {"device": device, "count": 2, "address": ["127.0.0.1:2", "127.0.0.1:3"]},
        },
        # Bytes take no time worth telling: latency alone is in the sums below.
        "network": {"switch": {"bandwidth": "1e15 B/s", "latency": LATENCY_S}},
        "traffic": {"arrivals": "closed", "requests": 1},
        **fields,
    }
    if nodes is not None:
        for name, node in nodes.items():
            document["nodes"][name] = {"device": device, **node}
    from edgesim.scenario import load_text

    return load_text(yaml.safe_dump(document, sort_keys=False))


def play(scenario: Scenario) -> tuple[Served, Recording]:
    served = as_served(scenario, api.place(scenario))
    found = simulate(served.plan, served.cluster, scenario.traffic, seed=scenario.seed)
    return served, served.fold(found)


def test_one_request_takes_what_its_steps_take_by_hand() -> None:
    served, found = play(load())
    # Half of the request's own, two questions one after another; the second part's way, its
    # computing, and its answer; then the same for the fusion, which is on the coordinator's node.
    way_s = 2 * LATENCY_S + DELAY_S
    second = REQUEST_S / 2 + 2 * ASK_S + way_s + TAKE_S + PART_S + TAKE_S + way_s + ASK_S
    fusion = ASK_S + DELAY_S + TAKE_S + FUSION_S + TAKE_S + DELAY_S + ASK_S + REQUEST_S / 2
    assert found.latency_s == pytest.approx([second + fusion], rel=1e-9)
    # The bounds count the same, but for the second question's wait; bytes take 10 ps here.
    bound_s = bottleneck(served.plan, served.cluster).latency_s
    assert bound_s == pytest.approx(second + fusion - ASK_S, abs=1e-11)
    parts = {name: float(column[0]) for name, column in found.breakdown_s.items()}
    assert parts["compute"] == pytest.approx(PART_S)
    assert parts["fusion"] == pytest.approx(FUSION_S)
    assert parts["queue"] == 0.0
    assert sum(parts.values()) == pytest.approx(second + fusion)


def test_threads_of_a_node_with_one_core_share_it() -> None:
    # A question and the computing of another request, or the coordinator and its hub, at once.
    traffic = {"arrivals": "poisson", "rate": 150, "requests": 400}
    _, roomy = play(load(cores=2, traffic=traffic))
    _, tight = play(load(cores=1, traffic=traffic))
    assert (tight.latency_s >= roomy.latency_s - 1e-12).mean() > 0.95
    assert tight.latency_s.mean() > 1.05 * roomy.latency_s.mean()


def test_capacity_is_that_of_the_busiest_machine() -> None:
    coordinator_s = REQUEST_S + 6 * ASK_S
    hub_s = 2 * TAKE_S + FUSION_S
    one = as_served(load(cores=1), api.place(load(cores=1)))
    assert one.bounds.resource == "pi-0"
    assert one.bounds.capacity_per_s == pytest.approx(1 / (PART_S + 2 * TAKE_S))
    together = {
        "hub": {"host": "box", "address": "127.0.0.1:1"},
        "pi": {"host": "box", "count": 2, "address": ["127.0.0.1:2", "127.0.0.1:3"]},
    }
    shared = load(cores=1, nodes=together, hosts={"box": {"cores": 1}})
    bound = as_served(shared, api.place(shared))
    assert bound.bounds.resource == "box"
    all_s = coordinator_s + hub_s + 2 * (PART_S + 2 * TAKE_S)
    assert bound.bounds.capacity_per_s == pytest.approx(1 / all_s)


def test_a_machine_cannot_do_more_than_its_capacity() -> None:
    scenario = load(cores=1, traffic={"arrivals": "closed", "concurrency": 50, "requests": 1000})
    served, found = play(scenario)
    assert 1000 / found.simulated_s == pytest.approx(served.bounds.capacity_per_s, rel=0.02)


@pytest.mark.parametrize(
    "names",
    [
        ("hub", "pi (left)", "pi (right)"),
        ("pi (messages)", "pi", "pi (coordinator)"),
        ("hub", "hub (coordinator)", "hub (messages)"),
        ("a→b", "part-1", "take part-0"),
    ],
)
def test_no_result_depends_on_what_a_node_is_called(names: tuple[str, str, str]) -> None:
    traffic = {"arrivals": "poisson", "rate": 150, "requests": 100}
    found = []
    for called in (("x", "y", "z"), names):
        nodes = {name: {"address": f"127.0.0.1:{port}"} for port, name in enumerate(called, 1)}
        placed = {"strategy": "class-wise", "input": called[0], "fusion": called[0]}
        scenario = load(nodes=nodes, placement=placed, traffic=traffic)
        served, recording = play(scenario)
        number = {name: called.index(name) for name in called} | {"": -1}
        assert list(recording.nodes) == list(called)
        # One link of the star for each node, in their order.
        links = dict(zip(recording.links, called, strict=True))
        found.append(
            (
                number[links.get(served.bounds.resource, served.bounds.resource)],
                served.bounds.capacity_per_s,
                recording.latency_s.tolist(),
                [row.busy_s for row in recording.nodes.values()],
                [row.bytes for row in recording.links.values()],
                [(one.task, number[one.node], number[one.target], one.start_s)
                 for one in recording.spans],
            )
        )  # fmt: skip
    assert found[0] == found[1]


def test_what_is_told_bears_the_names_of_the_scenario() -> None:
    scenario = load()
    _, found = play(scenario)
    assert list(found.nodes) == ["hub", "pi-0", "pi-1"]
    assert list(found.links) == ["hub-switch", "pi-0-switch", "pi-1-switch"]
    assert {span.node for span in found.spans} <= {"hub", "pi-0", "pi-1"}
    assert {span.task for span in found.spans if span.kind == "compute"} == {"part-0", "part-1"}


def test_bytes_are_those_of_the_messages() -> None:
    scenario = load()
    _, found = play(scenario)
    work = find_work(scenario, api.place(scenario))
    sizes = message_sizes(work, samples=1, requests=1)
    for part in (0, 1):
        assert found.links[f"pi-{part}-switch"].bytes == pytest.approx(
            sizes.asked[f"part-{part}"] + sizes.answered[f"part-{part}"]
        )
    # The fusion is at home: it costs no link anything.
    assert found.links["hub-switch"].bytes == pytest.approx(
        sum(found.links[f"pi-{part}-switch"].bytes for part in (0, 1))
    )


def test_sizes_are_those_of_real_messages() -> None:
    scenario = load()
    plan = api.place(scenario)
    work = find_work(scenario, plan)
    sizes: Sizes = message_sizes(work, samples=2, requests=9)
    pixels = np.ones((2, *work.shape), dtype=np.float32)
    asked = infer_request(
        work.parts[0], (Input("input", pixels.shape, pixels.tobytes()),), "features", 4
    )
    assert sizes.asked["part-0"] == len(asked.SerializeToString())
    features = sizes_of_features(plan)

    class Model:
        name, sha256, inputs, outputs = "part-0", work.parts[0].version + "0" * 52, (), ()

    answer = Answer(
        {"features": torch.ones(2, features)},
        queue_s=1e-3,
        compute_s=1e-3,
        processor_s=1e-3,
        batch=1,
    )
    reply = messages.answer(asked.id, Model(), answer, 1)  # type: ignore[arg-type]
    assert sizes.answered["part-0"] == len(reply.SerializeToString())


def sizes_of_features(plan: Any) -> int:
    return round(
        next(one.bytes for one in plan.branches[0].transfers if one.source == "part-0") / 4
    )


def test_a_node_that_fails_takes_its_part_and_no_more() -> None:
    nodes = {
        "hub": {"address": "127.0.0.1:1"},
        "a": {"address": "127.0.0.1:2", "faults": {"schedule": [{"at": 1, "duration": 2}]}},
        "b": {"address": "127.0.0.1:3"},
    }
    traffic = {"arrivals": "periodic", "rate": 10, "requests": 40}
    _, found = play(load(nodes=nodes, traffic=traffic))
    counts = np.bincount(found.outcome, minlength=4)
    assert counts[Outcome.FAILED] == 0
    # From second 1 to 3, ten a second; one more or less meets the edges.
    assert abs(counts[Outcome.DEGRADED] - 20) <= 1
    assert set(found.missing) == {frozenset({"part-0"})}
    assert sum(found.missing.values()) == counts[Outcome.DEGRADED]
    # Under the names of the scenario, as of a real run.
    assert {name.partition(": ")[0] for name in found.lost} == {"part-0 on a"}
    assert sum(found.lost.values()) == counts[Outcome.DEGRADED]


def test_a_scenario_without_addresses_is_refused(tmp_path: Path) -> None:
    from edgesim.common.errors import InputError

    nodes: dict[str, Any] = {"hub": {}, "pi": {"count": 2}}
    scenario = load(nodes=nodes)
    with pytest.raises(InputError, match="no address of 'pi-0', 'pi-1', 'hub'"):
        as_served(scenario, api.place(scenario))


def shares(scenario: Scenario) -> dict[str, float]:
    """Play what real nodes and their coordinator do by default; return the shares of outcomes."""
    plan = api.place(scenario)
    result = predict(
        scenario, plan, as_served(scenario, plan), Policy().simulated(),
        trace_requests=0, progress=lambda *_: None,
    )  # fmt: skip
    counts = dict(result.summary["requests"])
    assert result.summary["faults"] is None
    offered = counts.pop("offered")
    assert sum(counts.values()) == offered
    return {name: many / offered for name, many in counts.items()} | {
        "per_s": (counts["completed"] + counts["degraded"]) / result.summary["simulated_s"]
    }


def test_nodes_that_keep_up_answer_all() -> None:
    scenario = load(traffic={"arrivals": "poisson", "rate": 100, "requests": 400})
    found = shares(scenario)
    assert found["completed"] == 1.0


def test_full_queues_and_deadlines_are_predicted() -> None:
    # Five times what the nodes can serve, for longer than their queues of 64 and 5 s hold out.
    rate = 5.0 / PART_S
    scenario = load(traffic={"arrivals": "poisson", "rate": rate, "requests": 4000})
    capacity_per_s = as_served(scenario, api.place(scenario)).bounds.capacity_per_s
    found = shares(scenario)
    assert found["completed"] < 0.5
    assert found["per_s"] < 1.05 * capacity_per_s
    # With a place for each request all would be answered, in the end.
    waiting = {"queue": {"limit": 4000}}
    nodes = {name: {**one, **waiting} for name, one in scenario.document["nodes"].items()}
    patient = load(nodes=nodes, traffic={"arrivals": "poisson", "rate": rate, "requests": 4000})
    plan = api.place(patient)
    everything = predict(
        patient, plan, as_served(patient, plan), Recovery(),
        trace_requests=0, progress=lambda *_: None,
    )  # fmt: skip
    assert everything.summary["requests"]["completed"] == 4000
