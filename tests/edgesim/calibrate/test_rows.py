"""Rows and predictions: every published figure is used or says why not, and is met as told."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from typer.testing import CliRunner

from edgesim.calibrate.predict import predictions
from edgesim.calibrate.rows import as_written, graph_of, rows, unused
from edgesim.cli import app
from edgesim.graph import BYTES_PER_ELEMENT, zoo
from edgesim.hardware import catalog
from edgesim.hardware.fusion import kernels
from edgesim.hardware.processor import Processor
from edgesim.hardware.runtimes import RUNTIMES, RuntimeChoice, with_runtime

DEVICES = catalog.names("processor")


@pytest.mark.parametrize("device", DEVICES)
def test_every_published_figure_is_a_row_or_says_why_not(device: str) -> None:
    seen = [row.published for row in rows(device) if row.published.fit]
    left = unused(device)
    assert len(seen) + len(left) == len(catalog.published(device))
    assert all(reason for _, reason in left)
    assert [one.published for one in predictions(device)] == list(catalog.published(device))


def test_what_is_not_fitted_is_just_what_cannot_be_compared() -> None:
    """A variant of the model, and two figures whose precision or variant nobody states."""
    left = {(name, one.model, one.runtime) for name in DEVICES for one, _ in unused(name)}
    assert left == {
        ("raspberry-pi-4b", "resnet50", "OpenCV DNN"),
        ("nvidia-l4", "vit_base_patch16_224", "tensorrt"),
        ("nvidia-l4", "resnet50", "tensorrt"),
        # Of FasterTransformer's own unfused model, which is not what eager PyTorch does today.
        ("nvidia-t4", "vit_base_patch16_224", "pytorch-eager"),
        ("nvidia-a100", "vit_base_patch16_224", "pytorch-eager"),
    }


def test_all_of_timms_figures_are_there() -> None:
    """Six files of timm's results, twenty models from each."""
    files = Counter(
        (name, one.source)
        for name in DEVICES
        for one in catalog.published(name)
        if one.source.startswith("timm results, ")
    )
    assert list(files.values()) == [20] * 6
    models = {
        one.model
        for name in DEVICES
        for one in catalog.published(name)
        if one.source.startswith("timm results, ")
    }
    assert len(models) == 20
    assert models <= set(zoo.names())


@pytest.mark.parametrize("device", ["raspberry-pi-5", "nvidia-rtx-3090"])
def test_a_row_holds_all_flop_and_weights_of_its_model(device: str) -> None:
    for row in rows(device):
        graph, batch = graph_of(row.published), row.published.batch
        assert graph is not None
        assert row.kernels.flop.sum() == pytest.approx(2.0 * graph.macs * batch, rel=1e-12)
        width = BYTES_PER_ELEMENT[row.published.precision]
        weights = graph.params * width
        # The image and the answer at least are moved too.
        assert row.kernels.bytes.sum() > weights + batch * width * graph.input_elements
        assert ((row.kernels.moves < 0) == (row.kernels.flop.sum(axis=1) > 0)).all()
        assert (row.kernels.depth_flop[row.kernels.flop == 0] == 0).all()


def test_classes_and_image_size_are_those_of_the_figure() -> None:
    sizes = {
        (one.model, one.image_size, one.classes)
        for one in catalog.published("raspberry-pi-4b")
        if one.model in ("vit_tiny_patch16_224", "vit_base_patch32_224")
    }
    assert sizes == {("vit_tiny_patch16_224", None, 3), ("vit_base_patch32_224", 384, None)}
    (row,) = [
        row for row in rows("raspberry-pi-4b") if row.published.model == "vit_base_patch32_224"
    ]
    assert row.architecture == "vit_base_patch32_224"
    graph = graph_of(row.published)
    assert graph is not None
    assert graph.macs == zoo.build("vit_base_patch32_224", image_size=384).macs


def test_twins_are_one_architecture_and_the_same_work() -> None:
    by_model = {row.published.model: row for row in rows("nvidia-rtx-4090")}
    vit, deit = by_model["vit_base_patch16_224"], by_model["deit_base_patch16_224"]
    assert vit.architecture == deit.architecture
    assert (vit.kernels.flop == deit.kernels.flop).all()
    assert (vit.kernels.bytes == deit.kernels.bytes).all()
    assert by_model["vit_small_patch16_224"].architecture != vit.architecture


def test_a_prediction_is_the_sum_that_its_entry_says() -> None:
    """ViT-Tiny on the RTX 4090 at batch 1024: the figures of the entry, kernel by kernel."""
    entry = catalog.entry("nvidia-rtx-4090")
    shares, batch = entry["efficiency"]["fp16"], 1024
    total_s = 0.0
    graph = zoo.build("vit_tiny_patch16_224", image_size=224)
    for kernel in kernels(graph, as_written("nvidia-rtx-4090").fused):
        moved = 2.0 * (kernel.weight_elements + batch * kernel.activation_elements)
        memory_s = moved / entry["memory"]["bandwidth"]
        compute_s = 0.0
        for work in kernel.work:
            elements = work.macs / work.depth if work.kind != "attention" else None
            rate = 165.2e12 * shares[work.kind]
            if elements is None:
                # Two products of different depth in one kernel: the formula's own sum.
                compute_s += 2 * (batch * work.macs + entry["half_saturation"] * work.depth) / rate
            else:
                filled = batch * elements / (batch * elements + entry["half_saturation"])
                compute_s += 2 * batch * work.macs / (rate * filled)
        if not kernel.work:
            memory_s /= shares[kernel.kind]
        total_s += max(compute_s, memory_s) + entry["launch_overhead"]
    (one,) = [
        one
        for one in predictions("nvidia-rtx-4090")
        if one.published.model == "vit_tiny_patch16_224"
    ]
    assert one.predicted_s == pytest.approx(total_s, rel=1e-9)
    assert one.error == pytest.approx(total_s / (1024 / 17666.09) - 1.0, rel=1e-9)


def test_the_command_prints_the_same_predictions() -> None:
    result = CliRunner().invoke(app, ["devices", "nvidia-t4", "--json"])
    assert result.exit_code == 0
    printed = json.loads(result.stdout)["published"]
    found = predictions("nvidia-t4")
    assert [row["predicted_s"] for row in printed] == [one.predicted_s for one in found]
    assert [row["error"] for row in printed] == [one.error for one in found]


def test_a_faster_clock_shortens_what_the_clock_drives() -> None:
    """Rows at 1.8 GHz of a 1.5 GHz entry: by less than 1.2, since memory keeps its pace."""
    device = catalog.device("raspberry-pi-4b")
    assert isinstance(device, Processor)
    for one in predictions("raspberry-pi-4b"):
        what = one.published
        if what.clock_ratio != 1.2 or one.predicted_s is None:
            continue
        graph = graph_of(what)
        assert graph is not None
        slower = with_runtime(device, RuntimeChoice(name=what.runtime), what.precision)
        usual_s = slower.graph_cost(graph, what.precision).time_s
        assert usual_s / 1.2 <= one.predicted_s * (1 + 1e-12)
        assert one.predicted_s < usual_s


def test_a_runtime_that_no_scenario_can_name_has_no_prediction() -> None:
    (one,) = [
        one for one in predictions("raspberry-pi-4b") if one.published.runtime not in RUNTIMES
    ]
    assert one.published.runtime == "OpenCV DNN"
    assert (one.predicted_s, one.error, one.missing) == (None, None, "no runtime")
