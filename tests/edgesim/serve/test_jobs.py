"""The line and the thread that computes, with models that wait until a test lets them go."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from grpc import StatusCode
from torch import Tensor

from edgesim.hardware import Queue
from edgesim.serve.engine import Engine
from edgesim.serve.jobs import Answer, Job, JobQueue
from edgesim.serve.options import QUEUE_LIMIT
from edgesim.serve.refusal import RefusalError
from edgesim.serve.tensors import TensorSpec

PATIENCE_S = 30.0


class Doubler:
    """Gives twice its input; begins when it is let, and counts."""

    name = "doubler"
    sha256 = "0" * 64
    inputs = (TensorSpec("x", (2,)),)
    outputs = (TensorSpec("y", (2,)),)

    def __init__(self, gate: threading.Event | None = None) -> None:
        self.gate = gate
        self.began = threading.Event()
        self.batches: list[int] = []

    def run(self, inputs: Mapping[str, Tensor], outputs: Sequence[str]) -> dict[str, Tensor]:
        self.batches.append(len(inputs["x"]))
        self.began.set()
        if self.gate is not None:
            assert self.gate.wait(PATIENCE_S)
        if inputs["x"].isnan().any():
            raise ValueError("no number")
        return {"y": 2 * inputs["x"]}


class Asker:
    """Makes jobs and collects what they are told."""

    def __init__(self) -> None:
        self.told: dict[float, Answer | RefusalError] = {}
        self._changed = threading.Condition()

    def job(
        self, model: Doubler, value: float, *, samples: int = 1, deadline_s=math.inf, **more: Any
    ) -> Job:
        def done(found: Answer | RefusalError) -> None:
            with self._changed:
                self.told[value] = found
                self._changed.notify_all()

        return Job(
            model=model,
            inputs={"x": torch.full((samples, 2), value)},
            outputs=("y",),
            samples=samples,
            done=done,
            deadline_s=deadline_s,
            **more,
        )

    def wait(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.told) == count, PATIENCE_S)

    def reason(self, value: float) -> StatusCode:
        found = self.told[value]
        assert isinstance(found, RefusalError)
        return found.code


def engine(line: JobQueue, batch_max: int = 1, batch_wait_s: float = 0.0) -> Engine:
    made = Engine(line, threads=1, batch_max=batch_max, batch_wait_s=batch_wait_s)
    made.start(lambda: None)
    return made


@pytest.fixture
def ask() -> Asker:
    return Asker()


def test_a_full_line_refuses_and_the_rest_is_answered_in_order(ask: Asker) -> None:
    gate = threading.Event()
    model, line = Doubler(gate), JobQueue(Queue(limit=2))
    engine(line)
    line.put(ask.job(model, 1.0))
    assert model.began.wait(PATIENCE_S)  # computed now, so that it waits no more
    line.put(ask.job(model, 2.0))
    line.put(ask.job(model, 3.0))
    with pytest.raises(RefusalError, match=r"the node's queue of 2 was full") as caught:
        line.put(ask.job(model, 4.0))
    assert caught.value.code is StatusCode.RESOURCE_EXHAUSTED
    gate.set()
    ask.wait(3)
    assert list(ask.told) == [1.0, 2.0, 3.0]
    for value, found in ask.told.items():
        assert isinstance(found, Answer)
        assert torch.equal(found.outputs["y"], torch.full((1, 2), 2 * value))
        assert found.batch == 1
    line.close()


def test_work_whose_deadline_is_past_is_not_computed(ask: Asker) -> None:
    gate = threading.Event()
    model, line = Doubler(gate), JobQueue(Queue(limit=9))
    engine(line)
    line.put(ask.job(model, 1.0))
    assert model.began.wait(PATIENCE_S)
    line.put(ask.job(model, 2.0, samples=7, deadline_s=time.monotonic()))
    line.put(ask.job(model, 3.0, deadline_s=time.monotonic() + 1000))
    gate.set()
    ask.wait(3)
    assert ask.reason(2.0) is StatusCode.DEADLINE_EXCEEDED
    assert model.batches == [1, 1]
    line.close()


def test_a_batch_takes_what_one_execution_can_answer_and_gives_each_its_own(ask: Asker) -> None:
    gate = threading.Event()
    first, other, line = Doubler(gate), Doubler(), JobQueue(Queue(limit=9))
    engine(line, batch_max=3)
    line.put(ask.job(first, 1.0))
    assert first.began.wait(PATIENCE_S)
    for value, samples in ((2.0, 2), (3.0, 1), (4.0, 3), (5.0, 1)):
        line.put(ask.job(other if value == 3.0 else first, value, samples=samples))
    line.put(ask.job(first, 6.0))
    gate.set()
    ask.wait(6)
    # 2, 4 and 5 go together though another model's request came between; 6 is one too many.
    assert first.batches == [1, 2 + 3 + 1, 1]
    assert other.batches == [1]
    assert {value: found.batch for value, found in ask.told.items()} == {
        1.0: 1, 2.0: 3, 4.0: 3, 5.0: 3, 3.0: 1, 6.0: 1,
    }  # fmt: skip
    for value, samples in ((2.0, 2), (4.0, 3), (5.0, 1)):
        assert torch.equal(ask.told[value].outputs["y"], torch.full((samples, 2), 2 * value))
    line.close()


def test_an_idle_engine_waits_for_a_fuller_batch_but_not_once_it_is_full(ask: Asker) -> None:
    model, line = Doubler(), JobQueue(Queue(limit=9))
    engine(line, batch_max=2, batch_wait_s=1000.0)
    line.put(ask.job(model, 1.0))
    line.put(ask.job(model, 2.0))
    ask.wait(2)
    assert model.batches == [2]
    # Nor when the node leaves.
    line.put(ask.job(model, 3.0))
    line.close()
    ask.wait(3)
    assert model.batches == [2, 1]


def test_a_model_that_fails_answers_so_and_the_next_request_is_served(ask: Asker) -> None:
    model, line = Doubler(), JobQueue(Queue(limit=9))
    engine(line)
    line.put(ask.job(model, math.nan))
    line.put(ask.job(model, 1.0))
    ask.wait(2)
    (failed,) = [found for value, found in ask.told.items() if math.isnan(value)]
    assert isinstance(failed, RefusalError)
    assert failed.code is StatusCode.INTERNAL
    assert isinstance(failed.__cause__, ValueError)
    assert isinstance(ask.told[1.0], Answer)
    line.close()


def test_what_is_withdrawn_is_not_computed_and_makes_room(ask: Asker) -> None:
    gate = threading.Event()
    model, line = Doubler(gate), JobQueue(Queue(limit=1))
    engine(line)
    running = ask.job(model, 1.0)
    line.put(running)
    assert model.began.wait(PATIENCE_S)
    waiting = ask.job(model, 2.0)
    line.put(waiting)
    line.withdraw(waiting)
    line.withdraw(running)  # too late, and no harm
    line.put(ask.job(model, 3.0))
    gate.set()
    ask.wait(2)
    assert list(ask.told) == [1.0, 3.0]
    line.close()


def test_a_closed_line_ends_the_engine_after_what_waits(ask: Asker) -> None:
    gate, ended = threading.Event(), threading.Event()
    model, line = Doubler(gate), JobQueue(Queue(limit=9))
    made = Engine(line, threads=1, batch_max=1, batch_wait_s=0.0)
    made.start(ended.set)
    for value in (1.0, 2.0):
        line.put(ask.job(model, value))
    line.close()
    with pytest.raises(RefusalError) as caught:
        line.put(ask.job(model, 3.0))
    assert caught.value.code is StatusCode.UNAVAILABLE
    gate.set()
    assert ended.wait(PATIENCE_S)
    assert all(isinstance(found, Answer) for found in ask.told.values())
    assert len(ask.told) == 2


def test_an_abandoned_line_turns_away_what_waits(ask: Asker) -> None:
    gate = threading.Event()
    model, line = Doubler(gate), JobQueue(Queue(limit=9))
    engine(line)
    line.put(ask.job(model, 1.0))
    assert model.began.wait(PATIENCE_S)
    line.put(ask.job(model, 2.0))
    line.abandon()
    assert ask.reason(2.0) is StatusCode.UNAVAILABLE
    gate.set()
    ask.wait(2)
    assert isinstance(ask.told[1.0], Answer)


def test_errands_come_before_requests_and_bring_their_result(ask: Asker) -> None:
    gate = threading.Event()
    model, line = Doubler(gate), JobQueue(Queue(limit=9))
    made = engine(line)
    line.put(ask.job(model, 1.0))
    assert model.began.wait(PATIENCE_S)
    line.put(ask.job(model, 2.0))
    errand = made.do(lambda: (threading.current_thread().name, list(ask.told)))
    failing = made.do(lambda: 1 / 0)
    gate.set()
    assert errand.result(PATIENCE_S) == ("compute", [1.0])
    assert isinstance(failing.exception(PATIENCE_S), ZeroDivisionError)
    line.close()


def refused(asker: Asker) -> dict[float, str]:
    """Say what each refused job was told."""
    return {value: str(one) for value, one in asker.told.items() if isinstance(one, RefusalError)}


def test_words_for_a_full_queue_are_the_simulators() -> None:
    from typing import get_args

    from edgesim.hardware.network import WhenFull
    from edgesim.serve.options import FULL

    assert get_args(WhenFull) == FULL


def test_what_waited_longest_leaves_a_full_queue() -> None:
    model, line, asker = Doubler(), JobQueue(Queue(limit=2, full="drop-oldest")), Asker()
    for value in (1.0, 2.0, 3.0, 4.0):
        line.put(asker.job(model, value))
    assert refused(asker) == dict.fromkeys(
        (1.0, 2.0), "the node's queue dropped it as the one that waited longest of 2"
    )
    taken = line.take(4, 0.0)
    assert isinstance(taken, list)
    assert [float(job.inputs["x"][0, 0]) for job in taken] == [3.0, 4.0]


def test_the_newest_of_each_model_waits() -> None:
    first, other = Doubler(), Doubler()
    line, asker = JobQueue(Queue(full="keep-latest")), Asker()
    for model, value in ((first, 1.0), (other, 2.0), (first, 3.0), (first, 4.0)):
        line.put(asker.job(model, value))
    assert refused(asker) == dict.fromkeys(
        (1.0, 3.0), "the node's queue dropped it for a newer request"
    )
    assert len(line) == 2


def test_of_each_source_the_newest_waits() -> None:
    model, line, asker = Doubler(), JobQueue(Queue(full="keep-latest")), Asker()
    for value, source in ((1.0, "cam-0"), (2.0, "cam-1"), (3.0, "cam-0"), (4.0, "cam-1")):
        line.put(asker.job(model, value, source=source))
    assert set(refused(asker)) == {1.0, 2.0}
    assert values(line.take(4, 0.0)) == [3.0, 4.0]


def test_streams_of_a_queue_without_a_limit_end_at_that_of_a_node() -> None:
    model, line, asker = Doubler(), JobQueue(Queue(full="keep-latest")), Asker()
    for number in range(QUEUE_LIMIT):
        line.put(asker.job(model, float(number), source=str(number)))
    with pytest.raises(RefusalError, match="the node's queue of 64 was full"):
        line.put(asker.job(model, 64.0, source="64"))
    line.put(asker.job(model, 65.0, source="63"))
    assert set(refused(asker)) == {63.0}


def values(taken: object) -> list[float]:
    assert isinstance(taken, list)
    return [float(job.inputs["x"][0, 0]) for job in taken]


def test_the_earliest_deadline_and_the_lowest_number_are_served_first() -> None:
    """Equals are served first come, first served, and nothing without a deadline comes before."""
    model, other = Doubler(), Doubler()
    for order, key, marks in (
        ("edf", "due_s", (3.0, 1.0, 2.0, 1.0)), ("priority", "priority", (3, -1, 2, -1)),
    ):  # fmt: skip
        line, asker = JobQueue(Queue(order=order, limit=9)), Asker()
        line.put(asker.job(other, 0.0) if order == "edf" else asker.job(other, 0.0, priority=9))
        for value, mark in enumerate(marks, start=1):
            line.put(asker.job(model, float(value), **{key: mark}))
        taken = [values(line.take(1, 0.0))[0] for _ in range(5)]
        assert taken == [2.0, 4.0, 3.0, 1.0, 0.0], order
        # A batch begins with the first by that order, and takes more of the same model.
        for value, mark in enumerate(marks, start=1):
            line.put(asker.job(other if value == 4 else model, float(value), **{key: mark}))
        assert values(line.take(3, 0.0)) == [2.0, 3.0, 1.0]
        assert values(line.take(3, 0.0)) == [4.0]


def test_what_cannot_be_ready_by_its_deadline_is_dropped_when_its_turn_comes() -> None:
    model, line, asker = Doubler(), JobQueue(Queue(limit=9, skip_late=True)), Asker()
    line.note_execution(model, 100.0)
    now_s = time.monotonic()
    for value, due_s in ((1.0, now_s + 50.0), (2.0, now_s + 1000.0), (3.0, now_s - 1.0)):
        line.put(asker.job(model, value, due_s=due_s))
    line.put(asker.job(model, 4.0))
    assert refused(asker) == {}
    assert values(line.take(9, 0.0)) == [2.0, 4.0]
    why = "the node's queue dropped it as it cannot be ready by its deadline"
    assert refused(asker) == dict.fromkeys((1.0, 3.0), why)
    # Without that rule, deadlines order, and nothing is dropped for them.
    line.configure(Queue(order="edf", limit=9))
    line.put(asker.job(model, 5.0, due_s=now_s - 1.0))
    assert values(line.take(9, 0.0)) == [5.0]


def test_the_mean_time_of_a_model_follows_its_executions() -> None:
    """RFC 6298's smoothing: an eighth of the way to each new time."""
    model, line, asker = Doubler(), JobQueue(Queue(limit=9, skip_late=True)), Asker()
    line.note_execution(model, 8.0)
    line.note_execution(model, 800.0)  # 8 + 792 / 8 = 107 s
    now_s = time.monotonic()
    for value, due_s in ((1.0, now_s + 100.0), (2.0, now_s + 114.0)):
        line.put(asker.job(model, value, due_s=due_s))
    assert values(line.take(9, 0.0)) == [2.0]
    line.forget_executions()
    line.put(asker.job(model, 3.0, due_s=now_s + 100.0))
    assert values(line.take(9, 0.0)) == [3.0]


def test_the_engine_measures_what_it_runs(ask: Asker) -> None:
    line, model = JobQueue(Queue(limit=9)), Doubler()
    engine(line)
    line.put(ask.job(model, 1.0))
    ask.wait(1)
    line.configure(Queue(limit=9, skip_late=True))
    line.close()
    (mean_s,) = line._mean_s.values()
    assert mean_s == ask.told[1.0].compute_s
