"""The queue of a real node: a scenario's words, in messages, on disk, and in what it tells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from edgesim import api
from edgesim.hardware import Queue
from edgesim.serve.as_served import as_served
from edgesim.serve.coordinator.work import find_targets
from edgesim.serve.protocol import admin_pb2
from edgesim.serve.protocol import open_inference_pb2 as wire
from edgesim.serve.queues import (
    from_message,
    queue_text,
    real_queue,
    to_extension,
    to_message,
    told_queue,
)
from edgesim.serve.refusal import RefusalError
from edgesim.serve.services import SERVER_METADATA
from tests.edgesim.command import document, edgesim
from tests.edgesim.serve.cluster import ARTIFACT, Client, node, scenario
from tests.edgesim.serve.test_both import PATIENT

QUEUES = [
    Queue(limit=64, full="reject"),
    Queue(order="edf", limit=3, full="drop-oldest", skip_late=True),
    Queue(order="priority", full="keep-latest"),
]


@pytest.mark.parametrize("queue", QUEUES)
def test_a_queue_passes_through_messages_and_words_as_it_is(queue: Queue) -> None:
    assert from_message(to_message(queue)) == queue == real_queue(queue)
    read = yaml.safe_load(queue_text(queue))
    assert real_queue(Queue(**read)) == queue
    assert told_queue(["other", to_extension(queue)]) == queue_text(queue)


def test_a_queue_without_an_end_has_that_of_a_node() -> None:
    assert real_queue(Queue()) == Queue(limit=64, full="reject")
    assert real_queue(Queue(order="edf", skip_late=True)) == Queue(
        order="edf", limit=64, full="reject", skip_late=True
    )
    assert from_message(admin_pb2.Queue()) == Queue(limit=64, full="reject")
    assert told_queue(["other"]) is None


def test_words_that_no_queue_has_are_refused() -> None:
    with pytest.raises(RefusalError, match=r"queue\.order: expected one of fifo, priority, edf"):
        from_message(admin_pb2.Queue(order="lifo"))
    with pytest.raises(RefusalError, match=r"queue\.full: expected one of reject, drop-oldest"):
        from_message(admin_pb2.Queue(full="block"))


def test_a_prediction_plays_the_queues_that_a_deployment_brings(tmp_path: Path) -> None:
    addresses = {"hub": "127.0.0.1:5001", "pi": "127.0.0.1:5002"}
    file = scenario(tmp_path / "s.yaml", addresses)
    given = "nodes.pi.queue={order: edf, skip_late: true}"
    wanted = Queue(order="edf", limit=64, full="reject", skip_late=True)
    targets = find_targets(file, ARTIFACT, settings=[given, "traffic.deadline=1 s"])
    assert {one.node: one.queue for one in targets.real} == {"hub": None, "pi": wanted}
    loaded = api.load(file, overrides=[given, "traffic.deadline=1 s"])
    played = as_served(loaded, api.place(loaded)).cluster.nodes
    assert (played["pi"].queue, played["hub"].queue) == (wanted, real_queue(Queue()))


def test_a_deployment_brings_the_queue_and_a_run_tells_of_another(
    tmp_path: Path, keys: Path
) -> None:
    admin = keys / "admin"
    options = (keys / "localhost", "--plain", "--queue", "8", "--full", "drop-oldest")

    def told(address: str) -> str | None:
        with Client(address, None) as client:
            reply = client.call(SERVER_METADATA, wire.ServerMetadataRequest())
        return told_queue(reply.extensions)

    with node(tmp_path / "hub", keys / "localhost", "--plain") as hub:
        with node(tmp_path / "pi", *options) as pi:
            file = scenario(tmp_path / "s.yaml", {"hub": hub.inference, "pi": pi.inference})
            deploy = ["deploy", file, ARTIFACT, "--keys", admin, "--plain", "--json"]
            deploy += ["--admin", f"hub={hub.admin}", "--admin", f"pi={pi.admin}"]
            run = ["run", file, "--mode", "real", "--plain", *PATIENT, "--json"]
            run += ["--set", "traffic.requests=2", "--set", "traffic.deadline=10 s"]
            edf = [
                "--set",
                "nodes.pi.queue={order: edf, limit: 5}",
                "--set",
                "traffic.deadline=1 s",
            ]

            def deployed(*settings: str) -> dict[str, str]:
                done = edgesim(*deploy, *settings)
                assert done.returncode == 0, done.stderr
                return {row["node"]: row["state"] for row in document(done.stdout)["nodes"]}

            # Nothing is said of the queue: it is that of the command line.
            assert deployed() == {"hub": "deployed", "pi": "deployed"}
            assert told(pi.inference) == "{order: fifo, limit: 8, full: drop-oldest}"
            done = edgesim(*run, "--out", tmp_path / "out")
            assert done.returncode == 0, done.stderr
            (note,) = [one for one in document(done.stdout)["warnings"] if "queue" in one]
            assert note.startswith("'pi' has the queue {order: fifo, limit: 8, full: drop-oldest}")
            assert note.endswith("what it shall have in nodes.pi.queue, and deploy again")
            # The scenario says it.
            assert deployed(*edf) == {"hub": "kept", "pi": "deployed"}
            assert told(pi.inference) == "{order: edf, limit: 5, full: reject}"
            assert deployed(*edf) == {"hub": "kept", "pi": "kept"}
            done = edgesim(*run, *edf, "--out", tmp_path / "again")
            assert done.returncode == 0, done.stderr
            assert not [one for one in document(done.stdout)["warnings"] if "queue" in one]
            pi.kill()
        # It has the same one after a restart.
        with node(tmp_path / "pi", *options) as pi:
            assert told(pi.inference) == "{order: edf, limit: 5, full: reject}"
            active = json.loads((tmp_path / "pi" / "active.json").read_text())
            assert active["queue"] == {"full": "reject", "limit": 5, "order": "edf"}
