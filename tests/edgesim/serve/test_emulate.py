"""A node that takes a device's time: same answers, never before the device would have them."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import torch

from edgesim import artifact
from edgesim.hardware import catalog
from edgesim.serve.manifest import SignedManifest
from edgesim.serve.models import Emulated, PartModel, graph_of
from partition.artifact import load_artifact
from tests.edgesim.command import assert_fails, edgesim
from tests.edgesim.serve.cluster import ARTIFACT, FREE, Client, fill, node

DEVICE = "raspberry-pi-zero-2-w"


def test_graphs_of_a_manifest_are_those_that_are_simulated(manifest: SignedManifest) -> None:
    simulated = artifact.load(ARTIFACT)
    device = catalog.device(DEVICE)
    wanted = {f"part-{number}": part.graph for number, part in enumerate(simulated.parts)}
    wanted["fusion"] = simulated.fusion
    assert wanted.keys() == manifest.entries.keys()
    for name, graph in wanted.items():
        ours = graph_of(manifest.entries[name])
        assert (ours.macs, ours.params, len(ours)) == (graph.macs, graph.params, len(graph))
        assert device.graph_cost(ours, "fp32", 3) == device.graph_cost(graph, "fp32", 3)


def test_answers_are_the_models_and_take_the_devices_time(
    tmp_path: Path, keys: Path, manifest: SignedManifest, images: torch.Tensor
) -> None:
    device = catalog.device(DEVICE)
    options = ("--plain", "--emulate", DEVICE, "--metrics", FREE)
    with node(tmp_path / "node", keys / "localhost", *options) as running:
        assert running.events[0]["emulates"] == DEVICE
        with Client(running.admin, None, token=keys / "admin" / "token") as admin:
            fill(admin, manifest, ["part-0"])
        with Client(running.inference, None) as client:
            outputs, timings = client.infer("part-0", {"input": images})
        page = urllib.request.urlopen(f"http://{running.metrics}/metrics").read().decode()
    part = load_artifact(ARTIFACT).parts[0]
    own = PartModel("part-0", "", part).run({"input": images}, ["features", "logits"])
    assert all(torch.equal(outputs[name], own[name]) for name in own)
    took_s = device.graph_cost(graph_of(manifest.entries["part-0"]), "fp32", len(images)).time_s
    assert timings["compute_ns"] >= took_s * 1e9 - 1
    assert "edgesim_emulated_late_total" in page


def test_what_is_slower_here_is_counted(manifest: SignedManifest, images: torch.Tensor) -> None:
    part = PartModel("part-0", "", load_artifact(ARTIFACT).parts[0])
    late: list[int] = []
    # The fusion's products take an H100 microseconds, and a part this machine milliseconds.
    fast = Emulated(
        part, graph_of(manifest.entries["fusion"]), catalog.device("nvidia-h100"),
        lambda: late.append(1),
    )  # fmt: skip
    fast.run({"input": images}, ["logits"])
    assert late == [1]


def test_devices_that_parts_do_not_run_on_are_refused(tmp_path: Path, keys: Path) -> None:
    start = ("node", "--listen", FREE, "--store", tmp_path / "store", "--keys", keys / "localhost")
    assert_fails(edgesim(*start, "--emulate", "raspbery-pi-5"), 2, ["raspberry-pi-5"])
    assert_fails(edgesim(*start, "--emulate", "lt-b"), 2, ["fp32", "int4"])
    # A file that `edgesim profile` wrote elsewhere is a device too.
    (tmp_path / "there.yaml").write_text("peak: {int8: 1 TFLOP/s}\n")
    assert_fails(edgesim(*start, "--emulate", tmp_path / "there.yaml"), 2, ["fp32", "int8"])
    assert_fails(edgesim(*start, "--emulate", "./their.yaml"), 2, ["their.yaml does not exist"])
