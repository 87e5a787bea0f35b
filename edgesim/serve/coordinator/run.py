"""A scenario on real nodes, and its result in the form of a simulation's."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence

from edgesim import api
from edgesim.artifact import Artifact
from edgesim.common.errors import InputError
from edgesim.common.progress import Progress, counted
from edgesim.common.text import duration, size
from edgesim.placement.bounds import Bottleneck
from edgesim.results.accuracy import Accuracy
from edgesim.results.result import Result, summarise
from edgesim.results.run import Measured, Run, by_reason
from edgesim.scenario.scenario import Scenario
from edgesim.serve.access import Access
from edgesim.serve.coordinator.images import Images, find_images
from edgesim.serve.coordinator.peer import outage_sentences
from edgesim.serve.coordinator.policy import Policy
from edgesim.serve.coordinator.replication import Replication, run_replication
from edgesim.serve.coordinator.work import Work, find_work
from edgesim.serve.encoded import QUALITIES
from edgesim.serve.faults.driver import Driver, Order, orders_of
from edgesim.serve.queues import queue_text, real_queue
from edgesim.simulate import Outcome

_NEAR_SIZE = 0.05
"""Share by which encoded images may miss the size that the scenario says, without a note."""
INTERRUPTED = "the run was interrupted before it was answered"
"""Reason for the failure of requests in flight at an interrupt."""
ENDED_EARLY = "the run ended before it was answered"
"""The same at an unexpected error."""


def run(
    scenario: Scenario,
    access: Access,
    policy: Policy,
    *,
    trace_requests: int = 1000,
    faults_by: Sequence[str] = (),
    bounds: Bottleneck | None = None,
    progress: Progress = lambda label, done, total: None,
) -> Result:
    """Run a scenario on its nodes; energy is None in the summary.

    Baselines are left out: they would be simulated.

    Args:
        scenario: from `edgesim.api.load`.
        access: keys of the coordinator.
        policy: deadlines, attempts and health checks.
        trace_requests: number of first requests that leave spans.
        faults_by: program that causes the faults of the scenario's schedule.
        bounds: bounds of the plan as real nodes execute it; those of the plan itself unless given.
        progress: called with the progress of each replication; a KeyboardInterrupt that it raises
            ends the run, and the result is marked partial.

    Raises:
        InputError: the scenario is not one for real nodes.
        PlanError: the model does not fit.
        EdgesimError: a node is not ready.
    """
    begun_s = time.perf_counter()
    plan = api.place(scenario)
    work = find_work(scenario, plan)
    orders = orders_of(scenario.cluster)
    _check_faults(orders, faults_by)
    traffic, artifact = scenario.traffic, scenario.placement.model.artifact
    assert artifact is not None, "find_work checks this"
    runs: list[Replication] = []
    drivers: list[Driver] = []
    partial = False
    for replication in range(scenario.replications):
        label = scenario.name
        if scenario.replications > 1:
            label = f"{label} {replication + 1}/{scenario.replications}"
        try:
            ended = counted(progress, label, traffic.requests)
        except KeyboardInterrupt:
            if not runs:
                raise
            partial = True
            break
        images = find_images(
            work,
            samples=traffic.requests * traffic.samples,
            seed=scenario.seed,
            replication=replication,
        )
        driver = Driver(faults_by, orders) if orders else None
        drivers += [] if driver is None else [driver]
        runs.append(
            run_replication(
                work,
                scenario.cluster,
                traffic,
                images,
                access,
                policy,
                seed=scenario.seed,
                replication=replication,
                trace_requests=trace_requests if replication == 0 else 0,
                driver=driver,
                progress=ended,
            )
        )
        if runs[-1].recording.partial:
            break
    failure = runs[-1].failure
    warnings = ["energy was not measured: real nodes report times, not power"]
    if images.reason is not None:
        warnings.append(f"accuracy was not measured, as the images were noise: {images.reason}")
    if work.sources:
        warnings.append(
            f"requests of {', '.join(work.sources)} were all sent from this machine, which stands "
            f"for '{work.home}' in the network"
        )
    warnings += _queue_notes(scenario, runs)
    warnings += _size_notes(work, images)
    warnings += _fault_notes(scenario, drivers)
    for one in runs:
        warnings += outage_sentences(one.outages)
    failures = Counter[str]()
    for one in runs:
        failures += one.reasons
        unfinished = int((one.recording.outcome == Outcome.UNFINISHED).sum())
        failures[ENDED_EARLY if failure else INTERRUPTED] += unfinished
    failures = +failures
    warnings += by_reason("without an answer", failures)
    if failure:
        warnings.append(failure)
    elif failures and not (runs[-1].recording.partial or any(one.answered for one in runs)):
        failure = f"no request was answered: {failures.most_common(1)[0][0]}"
    measured = Measured(
        accuracy=_accuracy(artifact, runs, samples=traffic.samples, images=len(images.pixels)),
        failures=failures,
        warnings=tuple(warnings),
        failure=failure,
        never_answered=tuple(_never_answered(runs)),
    )
    return summarise(
        Run(
            scenario=scenario,
            plan=plan,
            recordings=tuple(one.recording for one in runs),
            wall_s=time.perf_counter() - begun_s,
            cut_short=partial,
            measured=measured,
            served=bounds,
        )
    )


def _never_answered(runs: Sequence[Replication]) -> Iterator[str]:
    """Yield a sentence on every model none of whose calls was answered."""
    for name in runs[0].calls:
        calls = [one.calls[name] for one in runs]
        failures = sum((one.failures for one in calls), Counter[str]())
        if failures and not any(one.replies for one in calls):
            ((reason, _),) = failures.most_common(1)
            yield f"none of {failures.total():,} requests was answered: {reason}"


def _check_faults(orders: Sequence[Order], faults_by: Sequence[str]) -> None:
    """Check that scheduled faults and a program that causes them are given together.

    Raises:
        InputError: one is given without the other.
    """
    if orders and not faults_by:
        raise InputError(
            f"the scenario has {len(orders) // 2:,} scheduled faults, and no program that causes "
            "them on real nodes; name one with --faults-by, such as 'python -m "
            "edgesim.serve.faults.local CLUSTER.json', or leave the faults out (--set faults=)"
        )
    if faults_by and not orders:
        raise InputError("--faults-by: the scenario has no scheduled faults")


def _queue_notes(scenario: Scenario, runs: Sequence[Replication]) -> list[str]:
    """Return a note on every node that has another queue than the scenario says."""
    found = []
    for name, told in runs[0].queues.items():
        wanted = queue_text(real_queue(scenario.cluster.nodes[name].queue))
        if told not in (None, wanted):
            found.append(
                f"'{name}' has the queue {told}, and a prediction plays {wanted}: write what it "
                f"shall have in nodes.{name}.queue, and deploy again"
            )
    return found


def _size_notes(work: Work, images: Images) -> list[str]:
    """Return a note where encoded images are of another size than the scenario says."""
    payload = work.payload
    if payload is None or abs(images.encoded_bytes / payload.bytes - 1.0) <= _NEAR_SIZE:
        return []
    return [
        f"encoded images have {size(images.encoded_bytes)} on average, at a quality of "
        f"{images.quality} of {QUALITIES[-1]}, and traffic.payload says {size(payload.bytes)}; a "
        "prediction counts the latter"
    ]


def _fault_notes(scenario: Scenario, drivers: Sequence[Driver]) -> list[str]:
    """Return notes on the faults of a real run."""
    notes = []
    done = [one for driver in drivers for one in driver.done]
    if done:
        late_s = max(one.sent_s - one.order.at_s for one in done)
        took_s = max(one.done_s - one.sent_s for one in done)
        notes.append(
            f"{len(done):,} orders of the schedule were carried out, each within "
            f"{duration(late_s + took_s)} of its time"
        )
    cluster = scenario.cluster
    random = [one.name for one in cluster.nodes.values() if one.faults and one.faults.mtbf_s]
    random += [
        name for name, one in cluster.network.links.items() if one.faults and one.faults.mtbf_s
    ]
    if random:
        notes.append(f"random faults are simulated only: {', '.join(random[:5])}")
    return notes


def _accuracy(
    artifact: Artifact, runs: Sequence[Replication], *, samples: int, images: int
) -> Accuracy | None:
    """Return the accuracy of the answers; None without labels or answers.

    Args:
        artifact: the artifact that was served.
        runs: results of the replications.
        samples: images of one request.
        images: different ones that were sent, at most.
    """
    answered: Counter[tuple[bool, ...]] = Counter()
    right: Counter[tuple[bool, ...]] = Counter()
    for one in runs:
        if one.right is None:
            return None
        answered += one.answered
        right += one.right
    requests = answered.total()
    if not requests:
        return None
    expected = {
        there: artifact.accuracy.without(
            frozenset(part for part, here in enumerate(there) if not here)
        )
        for there in answered
    }
    return Accuracy(
        top1=right.total() / (requests * samples),
        top1_expected=sum(expected[there] * many for there, many in answered.items()) / requests,
        top1_all_parts=artifact.accuracy.top1,
        top1_unsplit=artifact.accuracy.top1_unsplit,
        dataset=artifact.accuracy.dataset,
        samples=min(requests * samples, images),
        by_parts={
            "".join("1" if here else "0" for here in there): {
                "requests": many,
                "top1": right[there] / (many * samples),
                "top1_expected": expected[there],
            }
            for there, many in answered.most_common()
        },
    )
