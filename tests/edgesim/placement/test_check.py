"""What is said of plans that do not hold together or do not fit, ours and a plug-in's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgesim.common.errors import InputError, PlanError
from edgesim.hardware import Cluster
from edgesim.hardware.processor import Processor
from edgesim.placement import (
    Branch,
    Model,
    PlacementRequest,
    Plan,
    Task,
    Transfer,
    place,
    strategy_names,
)
from edgesim.placement.check import verify
from edgesim.scenario import load_text
from tests.edgesim.placement.cases import chain, joined, node, request

GRAPH = chain([1, 1], params=3)


def plan(
    tasks: list[Task], transfers: list[tuple[str | None, str | None, float]] | None = None, **f: Any
) -> Plan:
    moves = tuple(Transfer(source=a, target=b, bytes=size) for a, b, size in transfers or [])
    branch = Branch(tasks=tuple(tasks), transfers=moves)
    return Plan(strategy="own", precision="fp32", branches=(branch,), **f)


def task(name: str, where: str = "a", **fields: Any) -> Task:
    return Task(name=name, node=where, **fields)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Plan(strategy="own", precision="fp32", branches=()), "'own' made a plan without a branch"),
        (plan([]), "a branch without tasks"),
        (plan([task("x"), task("x")]), "two tasks of one branch are named 'x'"),
        (plan([task("x", "aa")]), r"placed on 'aa', and no node has that name \(did you mean 'a'"),
        (plan([task("x", cores=3)]), r"asks for 3 cores of node 'a' \(flops\), which has 1"),
        (plan([task("x", flop=float("nan"))]), "expected flop of 0 or more, got nan"),
        (plan([task("x", memory_bytes=-1.0)]), "expected memory_bytes of 0 or more, got -1"),
        (plan([task("x")], [("x", "y", 1.0)]), "transfer x → y: no task is named 'y'"),
        (plan([task("x")], [(None, None, 1.0)]), "expected a task at one end"),
        (plan([task("x"), task("y")], [("x", "y", float("inf"))]), "0 bytes or more, got inf"),
        (plan([task("y"), task("x")], [("x", "y", 1.0)]), "'y' stands before 'x'"),
        (plan([task("x")], [("x", "x", 1.0)]), "'x' stands before 'x'"),
        (plan([task("x")], [(None, "x", 1.0)], input_node="q"), "requests enter at 'q'"),
        (plan([task("x")], [("x", None, 1.0)], output_node="q"), "answers go to 'q'"),
    ],
)
def test_broken_plans_of_plug_ins_are_refused(broken: Plan, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        verify(broken, joined([node("a"), node("b")]))


def test_missing_bytes_are_exact_and_readable() -> None:
    memory = 5 * 2.0**20
    tasks = [task("x", memory_bytes=3 * 2.0**20), task("y", memory_bytes=3.5 * 2.0**20 + 0.5)]
    with pytest.raises(PlanError) as caught:
        verify(plan(tasks), joined([node("a", memory=memory)]))
    # 6.5 MiB and half a byte on 5 MiB: half a byte too many is one byte too many.
    assert str(caught.value) == (
        "node 'a' (flops) lacks 1,572,865 bytes (1.50 MiB): the plan holds 6.50 MiB of weights "
        "and activations there, and it has 5.00 MiB; use more or larger nodes, a smaller "
        "precision or batch, or a smaller model"
    )


def test_every_node_that_lacks_memory_is_named_up_to_five() -> None:
    names = [f"n{i}" for i in range(7)]
    cluster = joined([node(name, memory=10.0) for name in names])
    tasks = [task(name, name, memory_bytes=11.0 + i) for i, name in enumerate(names)]
    with pytest.raises(PlanError) as caught:
        verify(plan(tasks), cluster)
    text = str(caught.value)
    assert [text.count(f"node 'n{i}' (flops) lacks {i + 1} bytes") for i in range(7)] == [1] * 5 + [
        0,
        0,
    ]
    assert "and 2 more nodes" in text


def processor(name: str, **peak: float) -> Processor:
    return Processor(name=name, peak_flop_s=peak)


def mixed() -> Cluster:
    """A node that only has fp32, a slower one with int8, and one with fp16."""
    nodes = [
        replace(node("board"), device=processor("board-x", fp32=9.0)),
        replace(node("tpu"), device=processor("tpu-x", int8=1.0)),
        replace(node("gpu"), device=processor("gpu-x", fp32=5.0, fp16=10.0)),
    ]
    return joined(nodes)


def asked(precision: str, **fields: Any) -> PlacementRequest:
    model = Model(name="chain", graph=GRAPH, precision=precision)
    return PlacementRequest(model=model, cluster=mixed(), **fields)


@pytest.mark.parametrize("strategy", ["single", "pipeline"])
def test_nodes_without_the_precision_are_passed_over(strategy: str) -> None:
    plan = place(asked("int8"), strategy)
    assert [task.node for task in plan.branches[0].tasks] == ["tpu"]


@pytest.mark.parametrize("strategy", ["single", "pipeline"])
def test_precision_that_no_node_has_names_those_they_have(strategy: str) -> None:
    message = (
        r"node 'board' \(board-x\) does not compute in bf16, only in fp32; .*"
        r"node 'gpu' \(gpu-x\) does not compute in bf16, only in fp32, fp16; set model\.precision"
    )
    with pytest.raises(PlanError, match=message):
        place(asked("bf16"), strategy)


def test_nodes_alike_are_told_of_once() -> None:
    board = processor("board-x", fp32=1.0)
    nodes = [replace(node(f"n{i}"), device=board) for i in range(4)]
    model = Model(name="chain", graph=GRAPH, precision="fp16")
    with pytest.raises(PlanError) as caught:
        place(PlacementRequest(model=model, cluster=joined(nodes)), "single")
    assert str(caught.value) == (
        "node 'n0' (board-x; 3 more like it) does not compute in fp16, only in fp32; "
        "set model.precision, or other devices"
    )


def test_precision_that_one_replica_lacks_names_the_node() -> None:
    with pytest.raises(PlanError, match=r"node 'board' \(board-x\) does not compute in fp16"):
        place(asked("fp16"), "replicate")


def test_explicit_tasks_need_the_precision_too() -> None:
    model = Model(name="tasks", precision="fp16", tasks=(task("x", "board", flop=1.0),))
    with pytest.raises(PlanError, match=r"'board' .* only in fp32"):
        place(PlacementRequest(model=model, cluster=mixed()), "manual")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"nodes": ("a", "c")}, r"placement\.nodes: no node is named 'c'"),
        ({"nodes": ("a", "b", "a")}, "'a' is listed twice"),
        ({"input_node": "hub"}, r"placement\.input: no node is named 'hub'"),
        ({"fusion_node": "hub"}, r"placement\.fusion: no node is named 'hub'"),
    ],
)
def test_unknown_nodes_of_a_request(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        place(request(GRAPH, joined([node("a"), node("b")]), **fields), "replicate")


def test_manual_names_tasks_given_twice_and_the_nearest_of_unknown_ones() -> None:
    twice = Model(name="tasks", tasks=(task("x"), task("x")))
    with pytest.raises(InputError, match="two tasks are named 'x'"):
        place(PlacementRequest(model=twice, cluster=joined([node("a")])), "manual")
    move = Transfer(source="first", target="secnd", bytes=1.0)
    model = Model(name="tasks", tasks=(task("first"), task("second")), transfers=(move,))
    with pytest.raises(InputError, match=r"no task is named 'secnd' .did you mean 'second'"):
        place(PlacementRequest(model=model, cluster=joined([node("a")])), "manual")


def plug_in(folder: Path, target: str) -> None:
    """Install a package that registers a strategy, as pip would leave it."""
    (folder / "plugged_strategies.py").write_text(
        "from dataclasses import dataclass\n"
        "from edgesim.common.fields import Count\n"
        "from edgesim.common.validation import spec\n"
        "from edgesim.placement import Branch, ModelKeys, Plan, Task, takes\n"
        "def last(request):\n"
        "    name = list(request.cluster.nodes)[-1]\n"
        "    task = Task(name='all', node=name, graph=request.model.graph)\n"
        "    branch = Branch(tasks=(task,), transfers=())\n"
        "    return Plan(strategy='last', precision='fp32', branches=(branch,))\n"
        "def wrong(request):\n"
        "    return 'a plan'\n"
        "@spec\n"
        "@dataclass(frozen=True, slots=True, kw_only=True)\n"
        "class Keys(ModelKeys):\n"
        "    patience: Count = 1\n"
        "@takes(Keys)\n"
        "def patient(request):\n"
        "    assert request.options == {'patience': 3}\n"
        "    return last(request)\n"
    )
    info = folder / "plugged-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[edgesim.strategies]\nlast = {target}\n")


def test_third_parties_add_strategies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(tmp_path, "plugged_strategies:last")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "last" in strategy_names()
    plan = place(request(GRAPH, joined([node("a"), node("b")])), "last")
    assert [task.node for task in plan.branches[0].tasks] == ["b"]


def test_third_parties_say_which_keys_their_strategies_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plug_in(tmp_path, "plugged_strategies:patient")
    monkeypatch.syspath_prepend(str(tmp_path))
    base = "model: {name: resnet18}\nnodes: {a: {device: raspberry-pi-5}}\n"
    base += "traffic: {arrivals: closed, requests: 1}\n"
    scenario = load_text(base + "placement: {strategy: last, nodes: [a], patience: 3}\n")
    assert place(scenario.placement, "last").branches[0].tasks[0].node == "a"
    wrong = {
        "patience: 0": "4:39: placement.patience: expected at least 1, got 0",
        "patienc: 3": r"4:29: placement.patienc: unknown key 'patienc' .did you mean 'patience'",
        "heads: 3": "4:29: placement.heads: 'heads' belongs to class-wise, not to last",
    }
    for key, message in wrong.items():
        with pytest.raises(InputError, match=message):
            load_text(f"{base}placement: {{strategy: last, {key}}}\n")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("plugged_nowhere:last", "'last' is registered as plugged_nowhere:last, which cannot be"),
        ("plugged_strategies:lost", "cannot be loaded"),
        ("plugged_strategies:wrong", "returned str, expected a Plan"),
    ],
)
def test_broken_plug_ins_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, message: str
) -> None:
    plug_in(tmp_path, target)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InputError, match=message):
        place(request(GRAPH, joined([node("a")])), "last")
