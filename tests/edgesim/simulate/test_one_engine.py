"""One engine: what may fail and does not leaves every number as it is where nothing can fail."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from edgesim.hardware import Cluster, Faults, Outage
from edgesim.placement.plan import Branch, Plan
from edgesim.simulate import Recording, Traffic
from edgesim.simulate.recovery import Hedge, Recovery, Retry
from tests.edgesim.simulate.models import at, cluster, node, plan, play, task
from tests.edgesim.simulate.test_conservation import systems

FAR_S = 1e9
"""Later than the end of every run here."""
FAR = Faults(mttr_s=1.0, schedule=(Outage(at_s=FAR_S, duration_s=1.0),))
PATIENT = Recovery(deadline_s=FAR_S, retry=Retry(timeout_s=FAR_S), hedge=Hedge(after_s=FAR_S))
RECOVERIES = st.sampled_from([Recovery(), PATIENT])


def columns(recording: Recording) -> list[bytes]:
    parts = recording.breakdown_s.values()
    every = (recording.arrival_s, recording.latency_s, recording.outcome, *parts)
    return [column.tobytes() for column in every]


@given(systems(faulty=False), st.integers(0, 3), RECOVERIES)
@settings(max_examples=150)
def test_a_run_in_which_nothing_fails_is_the_run_in_which_nothing_can(
    system: tuple[Plan, Cluster, Traffic], seed: int, recovery: Recovery
) -> None:
    what, where, traffic = system
    may_fail = {name: replace(one, faults=FAR) for name, one in where.nodes.items()}
    plain = play(what, where, traffic, seed=seed)
    other = play(what, replace(where, nodes=may_fail), traffic, seed=seed, recovery=recovery)
    assert columns(other) == columns(plain)
    assert other.spans == plain.spans
    assert other.nodes == plain.nodes
    assert other.links == plain.links
    assert plain.faults is None
    assert other.faults is not None
    assert other.faults.attempts == len(what.branches[0].tasks) * traffic.requests
    assert other.faults.answered == {"first try": traffic.requests}
    assert other.faults.lost_j == 0.0


def test_a_crash_among_many_branches_asks_the_nodes_of_the_others() -> None:
    # Two tasks of one name: a second attempt goes to the branch whose node is up.
    once = Faults(mttr_s=1.0, schedule=(Outage(at_s=0.5, duration_s=9.0),))
    where = cluster([node("A", faults=once), node("B"), node("C")])
    branches = tuple(Branch(tasks=(task("t", name, 1.0),), transfers=()) for name in "ABC")
    what = replace(plan([]), branches=branches)
    retry = Recovery(retry=Retry(attempts=2, backoff_s=0.0))
    recording = play(what, where, at(0.0), recovery=retry)
    assert recording.latency_s.tolist() == [1.5]
    assert [(span.node, span.start_s) for span in recording.spans] == [("B", 0.5)]
    assert recording.faults is not None
    assert recording.faults.answered == {"retry": 1}
    assert recording.faults.attempts == 2
