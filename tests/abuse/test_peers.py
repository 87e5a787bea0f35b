"""Nodes with the cluster's key that misbehave: every request is accounted for, with a reason.

``python -m tests.abuse.peers --replies N`` prints what came of many more replies.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgesim.common.errors import EdgesimError
from edgesim.serve.coordinator.asking import Coordinator
from tests.abuse.fuzz import inputs
from tests.abuse.peers import HOSTILE, VALID, Flaw, Peers, fuzz, impossible, peers
from tests.edgesim.command import document, edgesim


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peers]:
    with peers(tmp_path_factory.mktemp("peers")) as running:
        yield running


def raw(values: Any) -> str:
    return np.asarray(values, "<f4").tobytes().hex()


WIDTH = 36
"""Features of a part of the artifact."""
FLAWS: list[tuple[Flaw, str]] = [
    (["output", {"raw": []}], "number of raw contents: expected 1, got 0"),
    (["bytes", "ff" * 20], "not a message of the protocol"),
    (["bytes", ""], "the id is another request's"),
    (["output", {"raw": [raw(np.ones(WIDTH - 1))]}], "bytes of the output"),
    (["output", {"raw": [raw(np.ones(WIDTH + 1))]}], "bytes of the output"),
    (["output", {"shape": [1, WIDTH - 1], "raw": [raw(np.ones(WIDTH - 1))]}],
     rf"shape: expected \[1, {WIDTH}\], got \[1, {WIDTH - 1}\]"),
    (["output", {"raw": [raw(np.full(WIDTH, np.nan))]}], "values are not finite"),
    (["output", {"raw": [raw(np.full(WIDTH, -np.inf))]}], "values are not finite"),
    (["output", {"count": 2}], "number of outputs: expected 1, got 2"),
    (["output", {"name": "logits"}], "name of the output"),
    (["output", {"datatype": "FP64"}], "datatype"),
    (["set", {"model_name": HOSTILE}], r"model_name: expected 'part-1', got '\\x1b"),
    (["set", {"model_version": "0" * 12}], "model_version"),
    (["set", {"id": "another"}], "the id is another request's"),
    (["parameters", {"compute_ns": -3_290_000_000_000}], "parameter compute_ns is out of range"),
    (["parameters", {"compute_ns": 1 << 62}], "parameter compute_ns is out of range"),
    (["parameters", {"queue_ns": 60_000_000_000}], "parameter queue_ns is out of range"),
    (["parameters", {"batch": 0}], "parameter batch is out of range"),
    (["parameters", {"waiting": 1 << 40}], "parameter waiting is out of range"),
    (["parameters", {"batch": None}], "parameter batch is missing, or no integer"),
    (["parameters", {"batch": "four"}], "parameter batch is missing, or no integer"),
    # Of 13.9 MiB, which a message may have; 100 KiB are more than any answer here.
    (["large", 14_575_206], "larger than an answer can be"),
    (["large", 100 << 10], "larger than an answer can be"),
    (["abort", "RESOURCE_EXHAUSTED", "the node's queue of 64 was full; ask again later"],
     "the node's queue of 64 was full"),
]  # fmt: skip


def test_a_part_that_misbehaves_is_left_out_and_blamed(nodes: Peers) -> None:
    count = len(FLAWS)
    result = nodes.run({"part-1": [flaw for flaw, _ in FLAWS]}, requests=count, concurrency=1)
    summary = result.summary
    assert not impossible(result, count)
    assert summary["requests"] == {
        "offered": count, "completed": 0, "degraded": count, "failed": 0,
    }  # fmt: skip
    lost = summary["lost_parts"]
    assert sum(lost.values()) == count
    for flaw, reason in FLAWS:
        expected = re.compile(rf"part-1 on pi-1: (invalid reply: )?{reason}")
        assert any(map(expected.match, lost)), (flaw, lost)
    most, many = max(lost.items(), key=lambda item: item[1])
    assert f"{many} answered without a part: {most}" in summary["warnings"]
    assert result.failure == ""
    assert result.never_answered == (f"none of {count} requests was answered: {most}",)


def test_a_node_that_answers_now_and_then_is_not_named(nodes: Peers) -> None:
    result = nodes.run({"part-1": [VALID, FLAWS[0][0]]}, requests=6)
    assert result.summary["requests"] == {
        "offered": 6, "completed": 3, "degraded": 3, "failed": 0,
    }  # fmt: skip
    assert (result.failure, result.never_answered) == ("", ())


def test_the_wait_for_a_silent_part_is_no_time_in_a_queue(nodes: Peers) -> None:
    deadline_s = 2.0
    result = nodes.run({"part-1": [["hang"]]}, requests=2, deadline_s=deadline_s)
    assert not impossible(result, 2)
    recording = result.recordings[0]
    # Where this machine is so busy that nobody answers in time there is nothing to see.
    answered = np.isfinite(recording.latency_s)
    assert (recording.breakdown_s["transfer"][answered] >= 0.9 * deadline_s).all()
    assert (recording.breakdown_s["queue"][answered] < 0.5 * deadline_s).all()
    lost = {**result.summary["lost_parts"], **result.summary["failures"]}
    assert all("part-1 on pi-1: no answer within 2.00 s" in reason for reason in lost)


def test_a_run_that_nobody_answered_fails_and_names_the_hub(nodes: Peers, tmp_path: Path) -> None:
    nodes.script({"fusion": [["output", {"raw": []}]]})
    options = ("--mode", "real", "--keys", nodes.keys / "client", "--json")
    done = edgesim("run", nodes.file, *options, "--out", tmp_path / "out")
    assert done.returncode == 1
    reason = "fusion on hub: invalid reply: number of raw contents: expected 1, got 0"
    assert done.stderr.splitlines()[-1].endswith(f"no request was answered: {reason}")
    assert document(done.stdout)["failures"] == {reason: 20}
    # What was recorded is there all the same.
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["requests"]["failed"] == 20


def test_a_node_that_is_wrong_in_every_request_is_named_in_the_last_line(
    nodes: Peers, tmp_path: Path
) -> None:
    nodes.script({"part-1": [["set", {"model_version": "0" * 12}]]})
    options = ("--mode", "real", "--keys", nodes.keys / "client")
    done = edgesim("run", nodes.file, *options, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert (
        "none of 20 requests was answered: part-1 on pi-1: invalid reply"
        in (done.stdout.splitlines()[-1])
    )
    page = (tmp_path / "out" / "report.html").read_text()
    for text in (done.stdout, page):
        assert "20 answered without a part: part-1 on pi-1: invalid reply" in text


def test_a_node_whose_state_is_no_message_is_not_ready(nodes: Peers) -> None:
    with pytest.raises(EdgesimError, match=r"does not answer \(its reply is not a message"):
        nodes.run({"ready": [["bytes", "ff" * 9]]})


def test_an_error_of_the_coordinator_itself_leaves_what_was_measured(
    nodes: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Coordinator.answer

    async def fails(self: Coordinator, number: int, *rest: Any) -> Any:
        if number == 14:
            raise KeyError("a mistake of ours")
        return await answer(self, number, *rest)

    monkeypatch.setattr(Coordinator, "answer", fails)
    result = nodes.run({})
    assert result.partial
    assert re.match(r"internal error: KeyError at test_peers\.py:\d+: 'a mistake", result.failure)
    assert result.summary["requests"]["completed"] >= 10
    assert result.failure in result.summary["warnings"]
    assert not any("interrupted" in one for one in result.summary["warnings"])


def test_whatever_nodes_reply_every_request_is_accounted_for(nodes: Peers) -> None:
    tally = fuzz(nodes, inputs(60) * 2, 7)
    assert not tally.failures, tally.failures
    counts = tally.requests
    assert counts["offered"] == counts["completed"] + counts["degraded"] + counts["failed"]
    # Replies that are all accepted would not be what was put to the test.
    assert counts["failed"] > 0
