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
    (["parameters", {"compute_ns": -3_290_000_000_000_000}], "compute_ns is out of range"),
    (["parameters", {"compute_ns": 1 << 62}], "compute_ns is out of range"),
    (["parameters", {"queue_ns": 60_000_000_000}], "queue_ns is out of range"),
    (["parameters", {"batch": 0}], "batch is out of range"),
    (["parameters", {"waiting": 1 << 40}], "waiting is out of range"),
    (["parameters", {"batch": None}], "batch is missing, or no integer"),
    (["parameters", {"batch": "four"}], "batch is missing, or no integer"),
    (["hang"], "no answer within 500 ms"),
    (["abort", "RESOURCE_EXHAUSTED", "the node's queue of 64 was full; ask again later"],
     "the node's queue of 64 was full"),
]  # fmt: skip


@pytest.mark.parametrize(("flaw", "reason"), FLAWS, ids=lambda one: str(one)[:40])
def test_a_part_that_misbehaves_is_left_out_and_blamed(
    nodes: Peers, flaw: Flaw, reason: str
) -> None:
    result = nodes.run({"part-1": [VALID, flaw]}, requests=6)
    summary = result.summary
    assert not impossible(result, 6)
    counts = {"offered": 6, "completed": 3, "degraded": 3, "failed": 0}
    assert summary["requests"] == counts
    ((told, many),) = summary["lost_parts"].items()
    assert many == 3
    assert told.startswith("part-1 on pi-1: ")
    assert re.search(reason, told)
    assert f"3 answered without a part: {told}" in summary["warnings"]
    assert (result.failure, result.never_answered) == ("", ())


def test_the_wait_for_a_silent_part_is_no_time_in_a_queue(nodes: Peers) -> None:
    result = nodes.run({"part-1": [["hang"]]}, requests=4)
    recording = result.recordings[0]
    assert (recording.latency_s >= 0.5).all()
    # A request waits for the coordinator's processor only, however busy this machine is.
    assert (recording.breakdown_s["transfer"] >= 0.45).all()
    assert not impossible(result, 4)


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

    async def fails(self: Coordinator, number: int, pixels: Any) -> Any:
        if number == 14:
            raise KeyError("a mistake of ours")
        return await answer(self, number, pixels)

    monkeypatch.setattr(Coordinator, "answer", fails)
    result = nodes.run({})
    assert result.partial
    assert re.match(r"internal error: KeyError at test_peers\.py:\d+: 'a mistake", result.failure)
    assert result.summary["requests"]["completed"] >= 10
    assert result.failure in result.summary["warnings"]
    assert not any("interrupted" in one for one in result.summary["warnings"])


def test_whatever_nodes_reply_every_request_is_accounted_for(nodes: Peers) -> None:
    tally = fuzz(nodes, inputs(60) * 4, 7)
    assert not tally.failures, tally.failures
    counts = tally.requests
    assert counts["offered"] == counts["completed"] + counts["degraded"] + counts["failed"]
    # Replies that are all accepted, or all refused, would not be what was put to the test.
    assert counts["failed"] > 0
    assert counts["completed"] + counts["degraded"] > 0
