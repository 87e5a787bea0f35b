"""Processes of a user beside the engine: exact event lists by hand, and what they may not do."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import simpy

import edgesim
from edgesim.common.errors import InputError
from edgesim.hardware import Cluster, Power
from edgesim.simulate import Outcome, Recording, Simulation
from edgesim.simulate.arrivals import Poisson
from tests.edgesim.simulate.models import (
    Flops,
    at,
    cluster,
    link,
    node,
    plan,
    play,
    spans,
    task,
)
from tests.edgesim.simulate.test_recovery import fault_events

Events = Generator[simpy.Event, Any, None]
WATTS = Power(idle_w=2.0, busy_w=7.0)
ONE = plan([task("t", "A", 1.0)])


def board() -> Cluster:
    return cluster([node(device=Flops(power=WATTS))])


def beside(process: Any, *arrivals: float, where: Any = None, what: Any = ONE) -> Recording:
    return play(what, where or board(), at(*arrivals), processes=[process])


def test_a_process_sees_power_and_queue_at_each_change() -> None:
    seen = []

    def watch(simulation: Simulation) -> Events:
        one = simulation.nodes["A"]
        while True:
            yield one.changed()
            seen.append((simulation.env.now, one.waiting, one.busy_cores, one.power_w))

    beside(watch, 0.5, 0.75, 3.0)
    assert seen == [
        (0.5, 0, 1, 7.0), (1.5, 0, 1, 7.0), (2.5, 0, 0, 2.0), (3.0, 0, 1, 7.0), (4.0, 0, 0, 2.0),
    ]  # fmt: skip


def test_a_process_that_does_nothing_changes_nothing() -> None:
    def idle(simulation: Simulation) -> Events:
        while True:
            yield simulation.env.timeout(0.3)

    where = cluster([node(variability="exponential")])
    traffic = Poisson(requests=500, rate_per_s=0.8)
    alone = play(ONE, where, traffic, seed=3)
    with_it = play(ONE, where, traffic, seed=3, processes=[idle])
    assert with_it.arrival_s.tolist() == alone.arrival_s.tolist()
    assert with_it.latency_s == pytest.approx(alone.latency_s, rel=1e-12)


def test_speed_follows_a_process() -> None:
    # 0.5 s at full speed, 1 s at a quarter, the last 0.25 s at full speed: ends at 1.75.
    def governor(simulation: Simulation) -> Events:
        one = simulation.nodes["A"]
        yield simulation.env.timeout(0.5)
        one.set_speed(0.25)
        assert one.power_w == 2.0 + 0.25 * 5.0
        yield simulation.env.timeout(1.0)
        one.set_speed(1.0)

    recording = beside(governor, 0.0)
    assert spans(recording) == [(0, "t", 0.0, 1.75)]
    assert recording.faults is not None
    assert recording.faults.nodes["A"].slow_s == 1.0
    assert fault_events(recording) == [(0.5, "A", "slow"), (1.5, "A", "restore")]


def test_processes_wait_for_each_other_with_resources_of_simpy() -> None:
    # One fan for two boards: the second is slow until the first has given it back.
    def cooled(simulation: Simulation) -> Events:
        fan = simpy.Resource(simulation.env)

        def use(name: str, for_s: float) -> Events:
            simulation.nodes[name].set_speed(0.5)
            with fan.request() as turn:
                yield turn
                simulation.nodes[name].set_speed(1.0)
                yield simulation.env.timeout(for_s)
            simulation.nodes[name].set_speed(0.5)

        yield simulation.env.process(use("A", 2.0)) & simulation.env.process(use("B", 1.0))

    what = plan([task("a", "A", 4.0), task("b", "B", 4.0)])
    recording = beside(cooled, 0.0, where=cluster([node("A"), node("B")]), what=what)
    # A: 2 s in full, the other half of the work at half speed. B: 1 s of work in 2 s, 1 s in 1 s.
    assert spans(recording) == [(0, "a", 0.0, 6.0), (0, "b", 0.0, 7.0)]


def test_a_link_that_a_process_switches_off_keeps_its_flows() -> None:
    def night(simulation: Simulation) -> Events:
        wire = simulation.links["wire"]
        yield simulation.env.timeout(1.0)
        wire.switch_off()
        wire.switch_off()
        assert not wire.up
        yield simulation.env.timeout(5.0)
        wire.switch_on()
        wire.switch_on()
        assert wire.up

    where = cluster([node("A"), node("B")], [link("wire", 10.0)], {("A", "B"): ["wire"]})
    what = plan([task("a", "A", 0.5), task("b", "B", 1.0)], [("a", "b", 10.0)])
    recording = beside(night, 0.0, where=where, what=what)
    assert spans(recording)[1:] == [(0, "a→b", 0.5, 6.5), (0, "b", 6.5, 7.5)]
    assert recording.faults is not None
    assert recording.faults.links["wire"].down_s == 5.0


def test_a_node_without_power_loses_its_work_and_starts_again() -> None:
    def operator(simulation: Simulation) -> Events:
        one = simulation.nodes["A"]
        yield simulation.env.timeout(0.5)
        one.switch_off()
        assert (one.power_w, one.up) == (0.0, False)
        yield simulation.env.timeout(1.0)
        one.switch_on()
        assert (one.power_w, one.up) == (2.0, False)

    where = cluster([node(device=Flops(power=WATTS), restart_s=2.0)])
    recording = beside(operator, 0.0, 4.0, where=where)
    assert recording.outcome.tolist() == [Outcome.FAILED, Outcome.COMPLETED]
    assert fault_events(recording) == [(0.5, "A", "crash"), (1.5, "A", "repair"), (3.5, "A", "up")]
    # Half a second of work, 1 s without power, and the whole second request.
    assert recording.nodes["A"].energy_j == pytest.approx(2.0 * 4.0 + 5.0 * 1.5, rel=1e-12)


def test_each_replication_starts_its_processes_anew_with_numbers_of_its_own() -> None:
    drawn = []

    def draw(simulation: Simulation) -> Events:
        drawn.append((simulation.replication, simulation.generator("wind").random()))
        yield simulation.env.timeout(0.0)

    for replication in (0, 1, 0):
        play(ONE, board(), at(0.0), replication=replication, processes=[draw])
    assert [one for one, _ in drawn] == [0, 1, 0]
    assert drawn[0] == drawn[2]
    assert drawn[0][1] != drawn[1][1]


@pytest.mark.parametrize(
    ("yields", "message"),
    [
        (lambda it: it.nodes["B"], "a process asks for node 'B'; there are A"),
        (lambda it: it.links["up"], "a process asks for link 'up'; there are none"),
        (lambda it: it.nodes["A"].set_speed(1.5), "speed of node 'A': expected 0 to 1, got 1.5"),
        (lambda it: it.nodes["A"].set_speed(np.nan), "expected 0 to 1, got nan"),
        (lambda it: it.nodes["A"].set_speed("fast"), "expected 0 to 1, got 'fast'"),
        (lambda it: it.env.timeout(np.nan), "process wrong failed at 2 s: ValueError: expected a"),
        (lambda it: it.env.process(child()), "a process failed at 2 s: ZeroDivisionError"),
        (lambda it: it.env.event().fail(ValueError("x")), "a process failed at 2 s: ValueError: x"),
        (lambda it: 1 // 0, "process wrong failed at 2 s: ZeroDivisionError: integer division"),
    ],
)
def test_what_goes_wrong_in_a_process_is_one_message(yields: Any, message: str) -> None:
    def wrong(simulation: Simulation) -> Events:
        yield simulation.env.timeout(2.0)
        yields(simulation)

    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        beside(wrong, 5.0)


def child() -> Events:
    yield 1 // 0


@pytest.mark.parametrize(
    ("processes", "message"),
    [
        (child, "processes: expected a list of generator functions, got <function child"),
        ("child", "processes: expected a list of generator functions, got 'child'"),
        ([child()], "process child: give the function itself, not its call"),
        ([5], "processes: expected generator functions, got 5"),
        ([child], "process child: expected a function of one argument, the simulation: "),
    ],
)
def test_what_is_no_process(processes: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        play(ONE, board(), at(0.0), processes=processes)


def test_processes_of_an_iterator_run_in_each_replication() -> None:
    begun = []

    def count(simulation: Simulation) -> Events:
        begun.append(simulation.replication)
        yield simulation.env.timeout(0.0)

    scenario = edgesim.load(
        "examples/five-pis.yaml", set={"replications": 3, "traffic.requests": 5}
    )
    result = scenario.run(processes=iter([count]))
    assert begun == [0, 1, 2]
    assert any("count" in warning for warning in result.summary["warnings"])


def test_a_process_is_a_generator_function() -> None:
    def forgot(simulation: Simulation) -> None:
        simulation.nodes["A"].set_speed(0.5)

    with pytest.raises(InputError, match="process forgot: expected a generator function"):
        beside(forgot, 0.0)


def test_ctrl_c_in_a_process_ends_the_run_with_what_it_has() -> None:
    def interrupt(simulation: Simulation) -> Events:
        yield simulation.env.timeout(2.5)
        raise KeyboardInterrupt

    recording = beside(interrupt, 0.0, 1.0, 2.0)
    assert recording.partial
    assert np.isfinite(recording.latency_s).sum() == 2


def test_nodes_that_share_a_machine_have_their_share_of_its_power() -> None:
    seen = []

    def watch(simulation: Simulation) -> Events:
        yield simulation.env.timeout(0.5)
        seen.extend(one.power_w for one in simulation.nodes.values())

    device = Flops(power=WATTS, cores=1)
    nodes = [node("A", device=device, host="pc"), node("B", device=device, host="pc")]
    where = replace(cluster(nodes), hosts={"pc": 2})
    play(plan([task("a", "A", 1.0)]), where, at(0.0), processes=[watch])
    assert seen == [2.0 / 2 + 5.0, 2.0 / 2]
