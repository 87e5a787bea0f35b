"""A scenario on real nodes: answers of the artifact, counts that add up, and nodes that fail."""

from __future__ import annotations

import csv
import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edgesim import api
from edgesim.common.errors import EdgesimError, InputError
from edgesim.scenario import Scenario
from edgesim.serve.access import Access
from edgesim.serve.coordinator.asking import RequestResult
from edgesim.serve.coordinator.images import Images
from edgesim.serve.coordinator.policy import Policy
from edgesim.serve.coordinator.replication import Replication, run_replication
from edgesim.serve.coordinator.work import Work, find_work, message_sizes
from edgesim.serve.manifest import SignedManifest
from edgesim.simulate import Outcome, simulate
from edgesim.simulate.recovery import Health
from tests.edgesim.command import assert_fails, document, edgesim
from tests.edgesim.serve.cluster import (
    FREE,
    PARTS,
    Client,
    NodeProcess,
    fill,
    fused,
    node,
    scenario,
)

HELD = {"hub": ["fusion"], "pi-0": list(PARTS[:3]), "pi-1": list(PARTS[3:])}
"""What the strategy gives two nodes, and a hub that fuses."""
OPEN = Access(folder=Path(), plain=True, ca=b"", certificate=b"", key=b"", token="")
PATIENT = Policy(deadline_s=60.0, health=Health(interval_s=30.0), patience_s=60.0)
"""No failure is expected, and none shall come of a busy machine."""
WATCHFUL = Policy(deadline_s=5.0, health=Health(interval_s=2.0, strikes=1), patience_s=60.0)
LIT = [piece in HELD["pi-0"] for piece in PARTS]
"""Which parts answer without pi-1."""


class Nodes:
    """Three nodes, and the scenario that names them."""

    def __init__(self, folder: Path, processes: dict[str, NodeProcess], stack: ExitStack) -> None:
        self.folder = folder
        self.processes = processes
        self.stack = stack
        addresses = {name: one.inference for name, one in processes.items()}
        self.file = scenario(folder / "scenario.yaml", addresses)

    def start_again(self, name: str, keys: Path) -> None:
        """Start a node that was killed, at the address that it had."""
        options = ("--plain", "--listen", self.processes[name].inference, "--admin", FREE)
        started = node(self.folder / name, keys / "localhost", *options)
        self.processes[name] = self.stack.enter_context(started)

    def load(self, traffic: str) -> tuple[Scenario, Work]:
        found = api.load(self.file, overrides=[f"traffic={traffic}"])
        return found, find_work(found, api.place(found))


@pytest.fixture(scope="module")
def nodes(
    tmp_path_factory: pytest.TempPathFactory, keys: Path, manifest: SignedManifest
) -> Iterator[Nodes]:
    folder = tmp_path_factory.mktemp("nodes")
    with ExitStack() as stack:
        processes = {
            name: stack.enter_context(node(folder / name, keys / "localhost", "--plain"))
            for name in HELD
        }
        for name, models in HELD.items():
            with Client(processes[name].admin, None, token=keys / "admin" / "token") as admin:
                fill(admin, manifest, models)
        yield Nodes(folder, processes, stack)


def noise(images: int) -> Images:
    """Return noise whose right classes are those that the whole artifact tells."""
    pixels = torch.randn(images, 1, 32, 32, generator=torch.Generator().manual_seed(7))
    return Images(pixels.numpy(), torch.cat([fused(one) for one in pixels]).argmax(1).numpy())


def check_counts(found: Replication, requests: int) -> None:
    """Every request is answered, answered in part, or failed with a reason."""
    outcome = found.recording.outcome
    assert len(outcome) == requests
    counts = {kind: int((outcome == kind).sum()) for kind in Outcome}
    assert counts[Outcome.UNFINISHED] == 0
    assert counts[Outcome.FAILED] == found.reasons.total()
    assert counts[Outcome.DEGRADED] == sum(found.recording.missing.values())
    assert counts[Outcome.COMPLETED] == found.answered[(True,) * 5]
    assert sum(counts.values()) == requests


def test_answers_are_those_of_the_artifact_and_times_add_up(nodes: Nodes) -> None:
    played, work = nodes.load("{arrivals: poisson, rate: 50/s, requests: 12}")
    images = noise(5)
    seen: dict[int, RequestResult] = {}
    found = run_replication(
        work, played.cluster, played.traffic, images, OPEN, PATIENT,
        seed=played.seed, trace_requests=3, seen=seen.__setitem__,
    )  # fmt: skip
    for number, one in seen.items():
        # One image after the other on one thread: the same sums in the same order.
        expected = fused(torch.from_numpy(images.pixels[number % 5]))
        assert torch.equal(torch.from_numpy(one.logits.copy()), expected)
    check_counts(found, 12)
    assert found.right == {(True,) * 5: 12}
    recording = found.recording
    # What is meant to be sent when is the simulation's word.
    predicted = simulate(api.place(played), played.cluster, played.traffic, seed=played.seed)
    assert recording.arrival_s.tolist() == predicted.arrival_s.tolist()
    assert np.allclose(sum(recording.breakdown_s.values()), recording.latency_s, rtol=1e-12)
    assert all((column >= 0).all() for column in recording.breakdown_s.values())
    spans = [span for span in recording.spans if span.request == 2]
    assert {span.task: span.node for span in spans if span.kind == "compute"} == {
        name: "pi-0" if name in HELD["pi-0"] else "pi-1" for name in PARTS
    }
    assert [span.node for span in spans if span.kind == "fusion"] == ["hub"]
    assert len(spans) == 3 * 6
    assert {span.request for span in recording.spans} == {0, 1, 2}
    begun_s, latency_s = recording.arrival_s[2], recording.latency_s[2]
    assert all(begun_s <= span.start_s <= span.end_s <= begun_s + latency_s for span in spans)
    # Bytes of tensors, and some of names and shapes around them: an image has 4 KiB.
    assert 5 * 12 * 4096 < recording.links["hub-switch"].bytes < 5 * 12 * 5000
    assert recording.links["pi-0-switch"].bytes / recording.links["pi-1-switch"].bytes == (
        pytest.approx(3 / 2, rel=0.01)
    )


def test_questions_that_were_asked_twice_are_carried_twice(nodes: Nodes) -> None:
    played, work = nodes.load("{arrivals: closed, requests: 5}")
    # No answer is there within a microsecond: everything is asked a second time.
    found = {
        hedge_after_s: run_replication(
            work, played.cluster, played.traffic, noise(1), OPEN,
            replace(PATIENT, hedge_after_s=hedge_after_s), seed=7,
        ).recording
        for hedge_after_s in (None, 1e-6)
    }  # fmt: skip
    once, twice = found[None], found[1e-6]
    assert (once.outcome == Outcome.COMPLETED).all()
    assert (twice.outcome == Outcome.COMPLETED).all()
    for link in ("hub-switch", "pi-0-switch", "pi-1-switch"):
        sent = 4096 * 5 * {"hub-switch": 5, "pi-0-switch": 3, "pi-1-switch": 2}[link]
        more = twice.links[link].bytes - once.links[link].bytes
        # Every question once more; of the answers, those that came as well.
        assert sent < more <= once.links[link].bytes
    # One request at a time: its three parts wait for each other, and its fusion for nobody.
    assert once.nodes["hub"].max_queue == 0
    assert once.nodes["pi-0"].max_queue <= 2


def test_the_command_writes_what_a_simulation_writes(nodes: Nodes, tmp_path: Path) -> None:
    out = tmp_path / "real"
    options = ("--set", "traffic={arrivals: periodic, rate: 20/s, requests: 6}", "--json")
    patient = ("--deadline", "1 min", "--health", "30 s")
    done = edgesim("run", nodes.file, "--mode", "real", "--plain", *patient, *options, "--out", out)
    assert (done.returncode, done.stderr) == (0, f"Wrote {out}\n")
    real = document(done.stdout)
    simulated = edgesim("run", nodes.file, *options, "--out", tmp_path / "simulated")
    predicted = document(simulated.stdout)
    assert (real["mode"], predicted["mode"]) == ("real", "simulate")
    assert {*real} - {*predicted} == {"failures", "lost_parts"}
    # What was measured has no range of a prediction.
    assert {*predicted} - {*real} == {"range_90"}
    assert real["requests"] == predicted["requests"] == {
        "offered": 6, "completed": 6, "degraded": 0, "failed": 0,
    }  # fmt: skip
    # No meter was read, and no figure of a model stands in its place.
    assert real["energy_j"]["total"] is real["energy_j"]["per_request"] is None
    assert all(one["energy_j"] is one["idle_j"] is None for one in real["nodes"].values())
    # Where the data set is, its labels judge; elsewhere nobody does.
    noise = [told for told in real["warnings"] if told.startswith("accuracy was not measured")]
    assert (real["accuracy"] is None) == bool(noise)
    assert sorted(path.name for path in out.iterdir()) == sorted(
        path.name for path in (tmp_path / "simulated").iterdir()
    )
    assert json.loads((out / "trace.json").read_text())["traceEvents"]
    rows = {
        where: [*csv.DictReader((tmp_path / where / "requests.csv").read_text().splitlines())]
        for where in ("real", "simulated")
    }
    assert [row["arrival_s"] for row in rows["real"]] == [
        row["arrival_s"] for row in rows["simulated"]
    ]
    assert rows["real"][0].keys() == rows["simulated"][0].keys()
    assert edgesim("report", out).returncode == 0
    page = (out / "report.html").read_text()
    assert "predicted bottleneck" in page
    assert "energy per request" not in page


def test_what_is_no_scenario_for_real_nodes_says_so(nodes: Nodes) -> None:
    def refused(*overrides: str) -> str:
        found = api.load(nodes.file, overrides=overrides)
        with pytest.raises(InputError) as caught:
            find_work(found, api.place(found))
        return str(caught.value)

    told = refused("nodes.pi-1={device: raspberry-pi-4b}")
    assert told.startswith("no address of 'pi-1'; in a real run every node")
    assert "the model is no artifact" in refused("model={name: vit_tiny_patch16_224}")
    assert "places the unsplit model" in refused("placement={strategy: single}")
    assert "nodes compute in fp32" in refused("model.precision=int8")
    played, work = nodes.load("{arrivals: closed, requests: 1}")
    hasty = replace(PATIENT, patience_s=0.5)
    # A port of this machine that nobody may listen on.
    away = replace(work, addresses={**work.addresses, "pi-1": "127.0.0.1:1"})
    with pytest.raises(EdgesimError, match=r"'pi-1' at 127\.0\.0\.1:1 does not answer"):
        run_replication(away, played.cluster, played.traffic, noise(1), OPEN, hasty, seed=7)
    other = replace(work, addresses={**work.addresses, "hub": work.addresses["pi-1"]})
    with pytest.raises(EdgesimError, match="does not serve this artifact's fusion"):
        run_replication(other, played.cluster, played.traffic, noise(1), OPEN, PATIENT, seed=7)


def test_the_command_line_refuses_what_does_not_belong_together(nodes: Nodes) -> None:
    assert_fails(edgesim("run", nodes.file, "--tries", "2"), 2, ["--tries is for --mode real"])
    assert_fails(edgesim("run", nodes.file, "--mode", "real"), 2, ["--mode real needs --keys DIR"])


def stop_when_back(seen: list[tuple[bool, ...]]) -> None:
    """Interrupt a run in which pi-1 went missing and came back."""
    if tuple(LIT) in seen and seen[-3:] == [(True,) * 5] * 3:
        raise KeyboardInterrupt


def test_a_node_that_hangs_is_taken_out_and_comes_back(nodes: Nodes) -> None:
    hung = nodes.processes["pi-1"]
    seen: list[tuple[bool, ...]] = []

    def watch(number: int, found: RequestResult) -> None:
        seen.append(found.parts_answered)
        if len(seen) == 5:
            hung.send(signal.SIGSTOP)
        elif seen.count(tuple(LIT)) == 10:
            hung.send(signal.SIGCONT)

    # As many requests as no run gets to: it ends when the node is back.
    played, work = nodes.load("{arrivals: closed, requests: 100000}")
    found = run_replication(
        work, played.cluster, played.traffic, noise(1), OPEN, WATCHFUL,
        seed=7, progress=lambda done: stop_when_back(seen), seen=watch,
    )  # fmt: skip
    assert found.recording.partial
    totals = found.recording.nodes
    assert 0.0 < totals["pi-1"].down_s < found.recording.simulated_s
    assert totals["hub"].down_s == 0.0
    # Nobody is asked in vain more than once: the others of the ten came at once.
    degraded = found.recording.latency_s[found.recording.outcome == Outcome.DEGRADED]
    assert (degraded < WATCHFUL.deadline_s).sum() >= len(degraded) - 2
    assert frozenset(HELD["pi-1"]) in found.recording.missing


def test_a_node_that_is_killed_and_started_again_is_asked_again(nodes: Nodes, keys: Path) -> None:
    seen: list[tuple[bool, ...]] = []
    address = nodes.processes["pi-1"].inference

    with ThreadPoolExecutor(1) as pool:

        def watch(number: int, found: RequestResult) -> None:
            seen.append(found.parts_answered)
            if len(seen) == 5:
                nodes.processes["pi-1"].kill()
                pool.submit(nodes.start_again, "pi-1", keys)

        # Ends when the node is back, from its own disk and over a new connection.
        played, work = nodes.load("{arrivals: periodic, rate: 5/s, requests: 100000}")
        found = run_replication(
            work, played.cluster, played.traffic, noise(1), OPEN, WATCHFUL,
            seed=7, progress=lambda done: stop_when_back(seen), seen=watch,
        )  # fmt: skip
    outcome = found.recording.outcome
    ended = (outcome != Outcome.UNFINISHED).sum()
    assert ended == found.answered.total() + found.reasons.total() == len(seen)
    assert nodes.processes["pi-1"].inference == address
    assert 0.0 < found.recording.nodes["pi-1"].down_s < found.recording.simulated_s


def test_a_killed_node_loses_no_request(nodes: Nodes, keys: Path) -> None:
    seen: dict[int, RequestResult] = {}

    def watch(number: int, found: RequestResult) -> None:
        seen[number] = found
        if len(seen) == 10:
            nodes.processes["pi-1"].kill()

    played, work = nodes.load("{arrivals: periodic, rate: 5/s, requests: 40}")
    images = noise(1)
    found = run_replication(
        work, played.cluster, played.traffic, images, OPEN,
        replace(WATCHFUL, deadline_s=60.0), seed=7, seen=watch,
    )  # fmt: skip
    nodes.start_again("pi-1", keys)
    check_counts(found, 40)
    assert found.answered[(True,) * 5] >= 10
    assert found.answered[tuple(LIT)] >= 1
    # What is answered is answered from the parts that are there.
    degraded = next(one for one in seen.values() if one.parts_answered == tuple(LIT))
    expected = fused(torch.from_numpy(images.pixels[0]), tuple(LIT))
    assert torch.equal(torch.from_numpy(degraded.logits.copy()), expected)
    assert seen[39].parts_answered == tuple(LIT)


def test_each_of_several_inputs_has_a_stream_of_its_own(nodes: Nodes) -> None:
    settings = [
        "placement.input=[hub, pi-0]",
        "placement.nodes=[pi-0, pi-1]",
        "traffic={arrivals: poisson, rate: 20/s, requests: 12, deadline: 60 s}",
    ]
    played = api.load(nodes.file, overrides=settings)
    plan = api.place(played)
    work = find_work(played, plan)
    found = run_replication(
        work, played.cluster, played.traffic, noise(3), OPEN, PATIENT, seed=played.seed
    )
    check_counts(found, 12)
    assert found.recording.sources == ("hub", "pi-0")
    simulated = simulate(plan, played.cluster, played.traffic, seed=played.seed)
    assert found.recording.source.tolist() == simulated.source.tolist()
    assert found.recording.arrival_s.tolist() == simulated.arrival_s.tolist()
    # What a stream is called, and its deadline, are in the messages, and in their sizes.
    plain = find_work(played, replace(plan, inputs=()))
    more, less = (message_sizes(one, samples=1, requests=12).asked for one in (work, plain))
    assert all(more[name] > less[name] for name in more)
