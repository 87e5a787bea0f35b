"""A scenario whose images travel as JPEGs, on real nodes: answers, bytes, and what is predicted."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from edgesim import api
from edgesim.scenario import Scenario
from edgesim.serve.as_served import as_served
from edgesim.serve.coordinator.asking import RequestResult
from edgesim.serve.coordinator.images import Images, find_images
from edgesim.serve.coordinator.replication import run_replication
from edgesim.serve.coordinator.work import Work, find_work, message_sizes
from edgesim.serve.manifest import SignedManifest
from edgesim.simulate import Outcome
from partition import read_manifest
from partition.data import to_input
from tests.edgesim.command import document, edgesim
from tests.edgesim.serve.cluster import (
    ARTIFACT,
    PARTS,
    Client,
    NodeProcess,
    fill,
    fused,
    node,
    scenario,
)
from tests.edgesim.serve.test_both import PATIENT
from tests.edgesim.serve.test_coordinator import OPEN
from tests.edgesim.serve.test_coordinator import PATIENT as POLICY

HELD = {"hub": ["fusion"], "pi": list(PARTS)}
TRAFFIC = "traffic={arrivals: periodic, rate: 20/s, requests: 6, payload: {bytes: 900}}"


@pytest.fixture(scope="module")
def file(
    tmp_path_factory: pytest.TempPathFactory, keys: Path, manifest: SignedManifest
) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("payload")
    with ExitStack() as stack:
        running: dict[str, NodeProcess] = {}
        for name, models in HELD.items():
            one = stack.enter_context(node(place / name, keys / "localhost", "--plain"))
            with Client(one.admin, None, token=keys / "admin" / "token") as admin:
                fill(admin, manifest, models)
            running[name] = one
        addresses = {name: one.inference for name, one in running.items()}
        yield scenario(place / "scenario.yaml", addresses)


@pytest.fixture(autouse=True)
def _data(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let images be those of the same stand-in for a data set on every machine."""
    monkeypatch.setenv("XDG_DATA_DIRS", str(data_folder))


def load(file: Path, traffic: str = TRAFFIC) -> tuple[Scenario, Work]:
    found = api.load(file, overrides=[traffic])
    return found, find_work(found, api.place(found))


def play(found: Scenario, work: Work, images: Images) -> tuple[dict[int, RequestResult], object]:
    seen: dict[int, RequestResult] = {}
    result = run_replication(
        work, found.cluster, found.traffic, images, OPEN, POLICY, seed=7, seen=seen.__setitem__
    )
    return seen, result


def local(image: bytes) -> torch.Tensor:
    """Return the input that a node makes of an image, by Pillow and what trains."""
    data = read_manifest(ARTIFACT).data
    levels = torch.from_numpy(np.array(Image.open(io.BytesIO(image))))[None, None]
    return to_input(levels, data.image, data.mean, data.std)[0]


def test_answers_are_those_of_images_decoded_here(file: Path) -> None:
    found, work = load(file)
    images = find_images(work, samples=6, seed=7, replication=0)
    assert images.labels is not None
    seen, result = play(found, work, images)
    for number, one in seen.items():
        expected = fused(local(images.encoded[number]))
        assert torch.equal(torch.from_numpy(one.logits.copy()), expected)
    # The links carried what was encoded, and the prediction what the scenario says.
    asked = message_sizes(work, samples=1, requests=6).asked["part-0"]
    sizes = message_sizes(load(file, TRAFFIC.replace("900", str(images.encoded_bytes)))[1],
                          samples=1, requests=6)  # fmt: skip
    assert asked - sizes.asked["part-0"] == round(900 - images.encoded_bytes)
    carried = result.recording.links["pi-switch"].bytes
    per_request = sum(sizes.asked[name] + sizes.answered[name] for name in PARTS)
    # Times in an answer differ in digits.
    assert carried == pytest.approx(6 * per_request, rel=0.01)
    raw = load(file, TRAFFIC.replace(", payload: {bytes: 900}", ""))[1]
    assert carried < 0.5 * 6 * message_sizes(raw, samples=1, requests=6).asked["part-0"] * 5


def test_an_image_that_no_node_decodes_fails_with_its_reason(file: Path) -> None:
    found, work = load(file)
    images = find_images(work, samples=2, seed=7, replication=0)
    broken = Images(images.pixels, None, None, (images.encoded[0], images.encoded[1][:-200]), 1)
    _, result = play(found, work, broken)
    outcome = [Outcome.COMPLETED, Outcome.FAILED] * 3
    assert result.recording.outcome.tolist() == outcome
    ((reason, many),) = result.reasons.items()
    assert many == 3
    assert "input 'input', image 1: it is damaged or cut short (INVALID_ARGUMENT)" in reason


def test_a_prediction_and_a_run_with_images_of_known_classes(
    file: Path, data_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "both"
    done = edgesim("run", file, "--mode", "both", "--plain", *PATIENT, "--set", TRAFFIC, "--loads",
                   "scenario", "--json", "--out", out, XDG_DATA_DIRS=str(data_folder))  # fmt: skip
    assert done.returncode == 0, done.stderr
    (load,) = document(done.stdout)["loads"]
    assert load["requests"]["measured"]["completed"] == 6
    top1 = load["accuracy"]["top1"]
    assert top1["measured"] * 6 == round(top1["measured"] * 6)
    sizes = "encoded images have "
    assert not [one for one in load["warnings"]["measured"] if one.startswith(sizes)]
    kept = json.loads((out / "as-written" / "measured" / "summary.json").read_text())
    assert kept["links"]["pi-switch"]["bytes"] > 0


def test_decoding_is_in_the_prediction(file: Path) -> None:
    found, _ = load(file)
    raw, _ = load(file, TRAFFIC.replace(", payload: {bytes: 900}", ""))
    with_s, without_s = (as_served(one, api.place(one)).bounds.node_s["pi"] for one in (found, raw))
    rate_px_s = found.cluster.nodes["pi"].device.decode.jpeg_px_s
    assert with_s - without_s == pytest.approx(5 * 32 * 32 / rate_px_s, rel=1e-6)


def test_images_that_cannot_have_the_size_of_the_scenario_are_told(
    file: Path, data_folder: Path, tmp_path: Path
) -> None:
    traffic = TRAFFIC.replace("900", "15 kB")
    done = edgesim("run", file, "--mode", "real", "--plain", *PATIENT, "--set", traffic, "--json",
                   "--out", tmp_path / "out", XDG_DATA_DIRS=str(data_folder))  # fmt: skip
    assert done.returncode == 0, done.stderr
    (note,) = [one for one in document(done.stdout)["warnings"] if "traffic.payload says" in one]
    assert "at a quality of 95 of 95, and traffic.payload says 14.6 KiB" in note
