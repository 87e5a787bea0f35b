"""What is done about faults: exact event lists by hand, and one answer for each request."""

from __future__ import annotations

import math

import pytest

from edgesim.hardware import Faults, Outage, Power
from edgesim.placement.plan import Plan
from edgesim.simulate import Outcome, Recording
from edgesim.simulate.recovery import Health, Hedge, Reassign, Recovery, Retry
from tests.edgesim.simulate.models import (
    Flops,
    at,
    cluster,
    fault,
    faulty,
    link,
    node,
    plan,
    play,
    spans,
    task,
)
from tests.edgesim.simulate.test_faults import DOWN, outcomes, two_parts

ONCE = Retry(attempts=2, backoff_s=0.0, longest_s=0.0)


def fault_events(recording: Recording) -> list[tuple[float, str, str]]:
    """(time, target, what) of every event."""
    assert recording.faults is not None
    return [(one.time_s, one.target, one.what) for one in recording.faults.events]


def test_a_retry_waits_until_its_node_is_back() -> None:
    # Lost at 1 s; tried again after at most 1, 2 and 4 s, at least half of that: the third try,
    # at 1 + [0.5, 1] + [1, 2] s, may find the node down until 3 s, and the fourth finds it up.
    recovery = Recovery(retry=Retry(attempts=4, backoff_s=1.0, longest_s=4.0))
    where = cluster([node(faults=DOWN)])
    recording = play(plan([task("t", "A", 0.75)]), where, at(0.5), recovery=recovery)
    assert outcomes(recording) == [Outcome.COMPLETED]
    assert recording.faults is not None
    assert recording.faults.answered == {"retry": 1}
    (span,) = recording.spans
    assert span.start_s >= 3.0
    assert recording.latency_s[0] == span.end_s - 0.5


def test_tries_end() -> None:
    recovery = Recovery(retry=Retry(attempts=3, backoff_s=0.1, longest_s=0.2))
    where = cluster([node(faults=DOWN)])
    recording = play(plan([task("t", "A", 0.75)]), where, at(0.5), recovery=recovery)
    assert outcomes(recording) == [Outcome.FAILED]
    assert recording.faults is not None
    assert recording.faults.attempts == 3
    assert recording.faults.reasons == {"crash": 1}


def test_inputs_are_sent_again() -> None:
    # The byte takes a second over the link; the crash at 1.5 s finds half of it on the way.
    lapse = Faults(schedule=(Outage(at_s=1.5, duration_s=0.0),))
    where = cluster([node("A"), node("B", faults=lapse)], [link("l", 1.0)], {("A", "B"): ["l"]})
    what = plan([task("a", "A", 1.0), task("b", "B", 1.0)], [("a", "b", 1.0)])
    recording = play(what, where, at(0.0), recovery=Recovery(retry=ONCE))
    assert spans(recording) == [(0, "a", 0.0, 1.0), (0, "a→b", 1.5, 2.5), (0, "b", 2.5, 3.5)]
    assert recording.latency_s.tolist() == [3.5]
    assert recording.links["l"].bytes == pytest.approx(1.5, rel=1e-15)


def test_a_result_that_is_lost_is_computed_again() -> None:
    # A crashes at 1.5 s while it sends: it has nothing more to send, and runs a once more.
    lapse = Faults(schedule=(Outage(at_s=1.5, duration_s=0.0),))
    where = cluster([node("A", faults=lapse), node("B")], [link("l", 1.0)], {("A", "B"): ["l"]})
    what = plan([task("a", "A", 1.0), task("b", "B", 1.0)], [("a", "b", 1.0)])
    recording = play(what, where, at(0.0), recovery=Recovery(retry=ONCE))
    assert [row[1:] for row in spans(recording)] == [
        ("a", 0.0, 1.0),
        ("a", 1.5, 2.5),
        ("a→b", 2.5, 3.5),
        ("b", 3.5, 4.5),
    ]


def test_a_standby_takes_over() -> None:
    where = cluster([node("A", faults=DOWN), node("S")])
    recovery = Recovery(retry=ONCE, standby=("S",))
    times = at(0.5, 2.0, 3.0)
    recording = play(plan([task("t", "A", 0.75)]), where, times, recovery=recovery)
    assert outcomes(recording) == [Outcome.COMPLETED] * 3
    # The first is lost at 1 s and goes over; the second never asks A; the third finds it back.
    assert [(one.node, one.start_s) for one in recording.spans] == [
        ("S", 1.0), ("S", 2.0), ("A", 3.0),
    ]  # fmt: skip
    assert recording.faults is not None
    assert recording.faults.answered == {"first try": 1, "standby": 2}


def test_a_standby_is_sent_the_inputs() -> None:
    where = cluster(
        [node("A"), node("B", faults=DOWN), node("S")],
        [link("b", 1.0), link("s", 1.0)],
        {("A", "B"): ["b"], ("A", "S"): ["s"], ("B", "A"): ["-b"], ("S", "A"): ["-s"]},
    )
    what = plan(
        [task("t", "B", 1.0)], [(None, "t", 2.0), ("t", None, 1.0)], input_node="A", output_node="A"
    )
    recording = play(what, where, at(0.0), recovery=Recovery(retry=ONCE, standby=("S",)))
    assert [(one.task, one.node, one.start_s, one.end_s) for one in recording.spans] == [
        ("input→t", "A", 1.0, 3.0),
        ("t", "S", 3.0, 4.0),
        ("t→output", "S", 4.0, 5.0),
    ]
    assert (recording.links["b"].bytes, recording.links["s"].bytes) == (1.0, 3.0)


def test_the_first_answer_of_two_counts_and_the_other_is_lost_work() -> None:
    # A stands still from 0.5 to 4 s: S is asked at 1 s and answers at 2 s; A ends at 4.5 s, for
    # nothing.
    device = Flops(power=Power(idle_w=1.0, busy_w=3.0))
    where = cluster([node("A", device=device), node("S", device=device)])
    where = faulty(where, fault("freeze", "A", 0.5, 3.5))
    recovery = Recovery(hedge=Hedge(after_s=1.0), standby=("S",))
    recording = play(plan([task("t", "A", 1.0)]), where, at(0.0, 5.0), recovery=recovery)
    assert outcomes(recording) == [Outcome.COMPLETED] * 2
    assert recording.latency_s.tolist() == [2.0, 1.0]
    assert spans(recording) == [(0, "t", 0.0, 4.5), (0, "t", 1.0, 2.0), (1, "t", 5.0, 6.0)]
    assert recording.faults is not None
    assert recording.faults.answered == {"first try": 1, "hedge": 1}
    # A draws 1 W for 4.5 s, and 2 W more for the second in which it worked.
    assert recording.faults.lost_j == pytest.approx(6.5, rel=1e-12)
    assert recording.faults.used_j == pytest.approx(3.0 + 3.0, rel=1e-12)


def test_a_try_that_takes_too_long_is_another_nodes() -> None:
    where = faulty(cluster([node("A"), node("S")]), fault("freeze", "A", 0.0, 9.0))
    retry = Retry(attempts=2, timeout_s=2.0, backoff_s=0.0, longest_s=0.0)
    recovery = Recovery(retry=retry, standby=("S",))
    recording = play(plan([task("t", "A", 1.0)]), where, at(1.0), recovery=recovery)
    assert spans(recording) == [(0, "t", 3.0, 4.0)]
    assert recording.spans[0].node == "S"


def test_a_part_is_given_up_at_its_deadline() -> None:
    what, where = two_parts()
    where = faulty(where, fault("freeze", "A", 0.5, 99.0))
    recovery = Recovery(deadline_s=3.0)
    recording = play(what, where, at(0.0), recovery=recovery)
    # b's byte is there at 3 s, when a is given up; the fusion takes half a second.
    assert outcomes(recording) == [Outcome.DEGRADED]
    assert recording.latency_s.tolist() == [3.5]
    assert recording.missing == {frozenset({"a"}): 1}
    assert recording.lost == {"a on A: no answer within 3.00 s": 1}
    # Given up 0.25 s after b's byte came: of that wait nothing is known but that it took 3.25 s.
    later = play(what, where, at(0.0), recovery=Recovery(deadline_s=3.25))
    assert _parts(later) == {"queue": 0.0, "compute": 0.0, "transfer": 3.25, "fusion": 0.5}


def _parts(recording: Recording) -> dict[str, float]:
    """Parts of the latency of the only request, in seconds."""
    return {part: column.item() for part, column in recording.breakdown_s.items()}


def test_the_wait_for_a_lost_part_begins_when_it_was_asked() -> None:
    # s takes 1 s, the second one waits 1 s before; a is asked then, and given up 2.5 s later.
    where = cluster(
        [node("S"), node("A"), node("B"), node("H")],
        [link("a", 1.0), link("b", 1.0)],
        {("S", "A"): ["a"], ("A", "H"): ["a"], ("B", "H"): ["b"]},
    )
    what = plan(
        [
            task("s", "S", 1.0),
            task("a", "A", 1.0, optional=True),
            task("b", "B", 1.0),
            task("f", "H", 0.5, kind="fusion"),
        ],
        [("s", "a", 0.5), ("a", "f", 1.0), ("b", "f", 1.0)],
    )
    where = faulty(where, fault("freeze", "A", 0.0, 99.0))
    recording = play(what, where, at(0.0, 0.0), recovery=Recovery(deadline_s=2.5))
    assert outcomes(recording) == [Outcome.DEGRADED] * 2
    assert recording.latency_s.tolist() == [4.0, 5.0]
    expected = {"queue": [0.0, 1.0], "compute": [1.0, 1.0], "transfer": [2.5, 2.5],
                "fusion": [0.5, 0.5]}  # fmt: skip
    assert {part: one.tolist() for part, one in recording.breakdown_s.items()} == expected


def test_attempts_that_failed_are_queueing_of_the_one_that_was_answered() -> None:
    # a runs for 1 s; b loses its node after half a second and starts again 1 s later.
    lapse = Faults(schedule=(Outage(at_s=1.5, duration_s=1.0),))
    where = cluster([node("A"), node("B", faults=lapse)], routes={("A", "B"): []})
    what = plan([task("a", "A", 1.0), task("b", "B", 1.0)], [("a", "b", 0.0)])
    retry = Retry(attempts=9, backoff_s=1.0, longest_s=1.0)
    recording = play(what, where, at(0.0), recovery=Recovery(retry=retry))
    began_s = recording.spans[-1].start_s
    assert 2.5 <= began_s <= 3.5
    expected = {"queue": began_s - 1.0, "compute": 2.0, "transfer": 0.0, "fusion": 0.0}
    assert _parts(recording) == pytest.approx(expected, rel=1e-15)


def test_the_first_task_of_a_request_waits_for_its_node_in_the_queue() -> None:
    lapse = Faults(schedule=(Outage(at_s=0.5, duration_s=1.0),))
    retry = Retry(attempts=9, backoff_s=1.0, longest_s=1.0)
    recording = play(
        plan([task("t", "A", 1.0)]), cluster([node(faults=lapse)]), at(0.0),
        recovery=Recovery(retry=retry),
    )  # fmt: skip
    waited_s = recording.spans[-1].start_s
    expected = {"queue": waited_s, "compute": 1.0, "transfer": 0.0, "fusion": 0.0}
    assert waited_s >= 1.5
    assert _parts(recording) == pytest.approx(expected, rel=1e-15)


def test_parts_that_are_lost_say_why() -> None:
    # A is down from 1 to 3 s: the first request loses a in the crash, the second finds it down.
    what, where = two_parts(faults=DOWN)
    recording = play(what, where, at(0.5, 2.0))
    assert recording.lost == {"a on A: lost in a crash": 2}
    checked = Recovery(health=Health(interval_s=0.1, strikes=1))
    seen = cluster([node("A", faults=DOWN), node("H")], [link("l", 1.0)], {("H", "A"): ["l"]})
    side = plan([task("h", "H", 0.0), task("a", "A", 1.0, optional=True)])
    recording = play(side, seen, at(0.5, 2.0), recovery=checked)
    assert recording.lost == {
        "a on A: lost in a crash": 1, "a on A: the node is out of service": 1,
    }  # fmt: skip
    what, where = two_parts()
    timed = Recovery(retry=Retry(attempts=1, timeout_s=2.5))
    silent = faulty(where, fault("freeze", "A", 0.0, 99.0))
    recording = play(what, silent, at(4.0), recovery=timed)
    assert recording.lost == {"a on A: no answer within 2.50 s": 1}
    assert recording.faults is not None
    assert recording.faults.reasons == {}


def test_only_the_part_that_failed_is_blamed() -> None:
    # a sends to c, and c to the fusion; both are optional, and only A fails.
    where = cluster([node("A", faults=DOWN), node("B")], routes={("A", "B"): []})
    what = plan(
        [
            task("a", "A", 1.0, optional=True),
            task("c", "B", 1.0, optional=True),
            task("b", "B", 1.0),
            task("f", "B", 0.5, kind="fusion"),
        ],
        [("a", "c", 0.0), ("c", "f", 0.0), ("b", "f", 0.0)],
    )
    recording = play(what, where, at(0.5))
    assert recording.missing == {frozenset({"a", "c"}): 1}
    assert recording.lost == {"a on A: lost in a crash": 1}


def test_without_degrading_a_lost_part_is_a_lost_request() -> None:
    early = Faults(schedule=(Outage(at_s=0.5, duration_s=0.25),))
    what, where = two_parts(faults=early)
    recording = play(what, where, at(0.0, 4.0), recovery=Recovery(degrade=False))
    assert outcomes(recording) == [Outcome.FAILED, Outcome.COMPLETED]


def test_a_part_moves_to_a_new_home() -> None:
    # Down at 1 s, moved at 1.5 s: 4 bytes of weights take 2 s over the link and 1 s to load.
    where = cluster(
        [node("A", faults=Faults(schedule=(Outage(at_s=1.0, duration_s=50.0),))), node("B"),
         node("H")],
        [link("b", 2.0)],
        {("H", "B"): ["b"]},
    )  # fmt: skip
    what = plan([task("t", "A", 1.0, memory_bytes=4.0), task("u", "H", 0.25), task("w", "H", 0.25)])
    moves = Reassign(after_s=0.5, source="H", load_byte_s=4.0)
    retry = Retry(attempts=99, backoff_s=0.5, longest_s=0.5)
    recovery = Recovery(retry=retry, reassign=moves)
    recording = play(what, where, at(2.0), recovery=recovery)
    assert fault_events(recording) == [(1.0, "A", "crash"), (4.5, "t", "reassigned")]
    (span,) = [one for one in recording.spans if one.task == "t"]
    assert span.node == "B"
    assert 4.5 <= span.start_s <= 5.0
    assert recording.faults is not None
    assert recording.faults.answered == {"reassigned": 1}
    assert recording.links["b"].bytes == 4.0


def test_checks_take_a_silent_node_out_and_in_again() -> None:
    # Checks at 1, 2, ... s: the one at 2 s waits until 3 s, the next until 4 s, and the node is
    # out; one that begins at 5 s is answered when the node goes on, and is found so at 6 s.
    where = faulty(cluster([node("A"), node("H")], [link("l", 1.0)], {("H", "A"): ["l"]}),
                  fault("freeze", "A", 1.5, 4.0))  # fmt: skip
    recovery = Recovery(health=Health(interval_s=1.0, strikes=2))
    what = plan([task("h", "H", 0.0), task("a", "A", 0.125, optional=True)])
    recording = play(what, where, at(1.0, 4.5, 7.0), recovery=recovery)
    assert fault_events(recording) == [
        (1.5, "A", "freeze"), (4.0, "A", "taken out"), (5.5, "A", "thaw"), (6.0, "A", "taken in"),
    ]  # fmt: skip
    assert outcomes(recording) == [Outcome.COMPLETED, Outcome.DEGRADED, Outcome.COMPLETED]


def test_a_node_that_starts_again_takes_its_time() -> None:
    where = cluster([node(faults=DOWN, restart_s=1.0)])
    recording = play(plan([task("t", "A", 0.5)]), where, at(3.5, 4.0))
    assert outcomes(recording) == [Outcome.FAILED, Outcome.COMPLETED]
    assert fault_events(recording) == [(1.0, "A", "crash"), (3.0, "A", "repair"), (4.0, "A", "up")]
    assert (recording.nodes["A"].down_s, recording.nodes["A"].off_s) == (3.0, 2.0)


def test_replicas_help_each_other() -> None:
    ways = [plan([task("t", name, 0.5)]).branches[0] for name in ("A", "B")]
    what = Plan(strategy="replicate", precision="fp32", branches=tuple(ways))
    where = cluster([node("A", faults=DOWN), node("B")])
    recording = play(what, where, at(0.75), recovery=Recovery(retry=ONCE))
    assert outcomes(recording) == [Outcome.COMPLETED]
    assert [(one.node, one.start_s, one.end_s) for one in recording.spans] == [("B", 1.0, 1.5)]


def test_a_failure_ends_with_the_first_whole_answer_after_it() -> None:
    what, where = two_parts(faults=DOWN)
    recording = play(what, where, at(0.0, 2.0, 4.0))
    assert outcomes(recording) == [Outcome.DEGRADED, Outcome.DEGRADED, Outcome.COMPLETED]
    # Down at 1 s; the third request arrives at 4 s and is answered at 7.5 s.
    assert recording.faults is not None
    assert recording.faults.recover_s == (6.5,)
    never = play(what, where, at(0.0, 2.0))
    assert never.faults is not None
    assert math.isnan(never.faults.recover_s[0])
