"""The line and the thread that computes, with models that wait until a test lets them go."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping, Sequence

import pytest
import torch
from grpc import StatusCode
from torch import Tensor

from edgesim.serve.engine import Engine
from edgesim.serve.jobs import Answer, Job, JobQueue
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

    def job(self, model: Doubler, value: float, *, samples: int = 1, deadline_s=math.inf) -> Job:
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
    model, line = Doubler(gate), JobQueue(2)
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
    model, line = Doubler(gate), JobQueue(9)
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
    first, other, line = Doubler(gate), Doubler(), JobQueue(9)
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
    model, line = Doubler(), JobQueue(9)
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
    model, line = Doubler(), JobQueue(9)
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
    model, line = Doubler(gate), JobQueue(1)
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
    model, line = Doubler(gate), JobQueue(9)
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
    model, line = Doubler(gate), JobQueue(9)
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
    model, line = Doubler(gate), JobQueue(9)
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
    model, line, asker = Doubler(), JobQueue(2, full="drop-oldest"), Asker()
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
    line, asker = JobQueue(64, full="keep-latest"), Asker()
    for model, value in ((first, 1.0), (other, 2.0), (first, 3.0), (first, 4.0)):
        line.put(asker.job(model, value))
    assert refused(asker) == dict.fromkeys(
        (1.0, 3.0), "the node's queue dropped it for a newer request"
    )
    assert len(line) == 2
