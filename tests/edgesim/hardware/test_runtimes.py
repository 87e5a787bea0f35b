"""Runtimes of processors: what one changes of the times, and which a device has."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgesim.common.errors import InputError
from edgesim.graph import OpKind, zoo
from edgesim.graph.builder import Builder
from edgesim.hardware import catalog
from edgesim.hardware.processor import Memory, Processor
from edgesim.hardware.runtimes import (
    RUNTIMES,
    Runtime,
    RuntimeChoice,
    runtime_text,
    supported,
    with_runtime,
)

NAMES = (
    "pytorch-eager", "pytorch-amp", "pytorch-compiled", "onnxruntime", "tflite", "executorch",
    "ncnn", "qnnpack", "tensorrt", "fastertransformer", "aitemplate", "openvino", "hailo",
)  # fmt: skip


def choose(name: str, *, estimate: bool = False) -> RuntimeChoice:
    return RuntimeChoice(name=name, estimate=estimate)


def processor(**figures: object) -> Processor:
    """1 TFLOP/s and 1 GB/s without launches: products are arithmetic, sums are memory."""
    return Processor(
        name="box",
        peak_flop_s={"fp32": 1e12, "int8": 2e12},
        memory=Memory(bandwidth_byte_s=1e9),
        runtime="tflite",
        **figures,  # type: ignore[arg-type]
    )


def test_the_names_are_those_of_the_contract() -> None:
    assert RUNTIMES == NAMES


def test_factors_multiply_the_time_of_what_they_name() -> None:
    factors = {"time": 2.0, "linear": 3.0, "moves": 5.0}
    own = processor(launch_overhead_s=1e-6)
    other = replace(own, runtime="ncnn", runtimes={"ncnn": Runtime(factors={"fp32": factors})})
    product = Builder("product", (1024,))
    product.linear("fc", (), rows=1024, features=(1024, 1024), bias=False)
    graph = product.graph()
    compute_s = 2 * 1024**3 / 1e12
    moved_s = 4 * 3 * 1024**2 / 1e9
    assert own.graph_cost(graph, "fp32").time_s == pytest.approx(moved_s + 1e-6, rel=1e-12)
    # Arithmetic takes six times as long, memory and launches twice as long.
    expected_s = max(6 * compute_s, 2 * moved_s) + 2e-6
    assert other.graph_cost(graph, "fp32").time_s == pytest.approx(expected_s, rel=1e-12)
    # Of another precision the runtime has no factors.
    assert other.graph_cost(graph, "int8") == own.graph_cost(graph, "int8")


def test_factors_of_operators_without_products_are_those_of_what_they_move() -> None:
    own = processor()
    factors = {"time": 2.0, "conv": 7.0, "moves": 5.0}
    other = replace(own, runtime="ncnn", runtimes={"ncnn": Runtime(factors={"fp32": factors})})
    sums = Builder("sums", (1000,))
    sums.pointwise("add", OpKind.ELEMENTWISE, ())
    graph = sums.graph()
    before_s, after_s = (one.graph_cost(graph, "fp32").time_s for one in (own, other))
    assert after_s == pytest.approx(10.0 * before_s, rel=1e-12)


def test_a_runtime_fuses_what_it_fuses_whatever_the_device_does() -> None:
    graph = zoo.build("vit_tiny_patch16_224")
    own = processor(launch_overhead_s=1.0, fused=frozenset({OpKind.ACTIVATION}))
    fusing = Runtime(fused=frozenset({OpKind.SOFTMAX, OpKind.ATTENTION, OpKind.NORM}))
    other = replace(own, runtime="ncnn", runtimes={"ncnn": fusing})
    launches = [len(one.explain(graph, "fp32").rows) for one in (own, other)]
    assert launches[1] < launches[0]
    assert replace(other, fused=frozenset()).graph_cost(graph, "fp32") == other.graph_cost(
        graph, "fp32"
    )


def test_the_usual_runtime_changes_nothing() -> None:
    device = catalog.device("raspberry-pi-4b")
    assert with_runtime(device, None, "fp32") is device
    assert with_runtime(device, choose("tflite"), "fp32") is device
    assert runtime_text(device, "fp32") == "tflite"


def test_what_is_published_can_be_chosen_and_the_rest_estimated() -> None:
    device = catalog.device("raspberry-pi-4b")
    assert ("ncnn", "fp32") in supported(device)
    assert ("executorch", "fp32") not in supported(device)
    assert with_runtime(device, choose("ncnn"), "fp32").runtime == "ncnn"
    message = (
        "no times of runtime 'executorch' in fp32 are published or profiled for 'raspberry-pi-4b'; "
        r"there are ncnn \(fp32, int8\), qnnpack \(int8\), tflite \(fp32, int8\); "
        r"\{name: executorch, estimate: true\} takes the factor from related devices"
    )
    with pytest.raises(InputError, match=message):
        with_runtime(device, choose("executorch"), "fp32")
    estimated = with_runtime(device, choose("executorch", estimate=True), "fp32")
    assert runtime_text(estimated, "fp32") == "executorch (estimate)"


@pytest.mark.parametrize(
    ("device", "name", "message"),
    [
        ("raspberry-pi-5", "tensorrt", "estimates of tflite, executorch, ncnn, qnnpack, not of t"),
        ("raspberry-pi-5", "tf-lite", "no runtime is named 'tf-lite' .did you mean 'tflite'"),
        ("nvidia-h100", "pytorch-amp", "there are none of any runtime; .* estimate: true"),
        ("4f-lcos-pluto", "tflite", "of kind optical-4f has no figures of a runtime"),
    ],
)
def test_what_a_device_lacks_is_told(device: str, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        with_runtime(catalog.device(device), choose(name), "fp16")


def test_a_profile_is_known_with_its_own_runtime() -> None:
    device = processor()
    assert supported(device) == [("tflite", "fp32"), ("tflite", "int8")]
    assert with_runtime(device, choose("tflite"), "fp32") is device
    with pytest.raises(InputError, match="related devices give estimates of tflite, not of ncnn"):
        with_runtime(device, choose("ncnn", estimate=True), "fp32")


def test_factors_are_of_kinds_of_products() -> None:
    with pytest.raises(InputError, match=r"expected factors of time, moves, linear, .*'softmax'"):
        catalog.from_mapping(
            "box",
            {
                "peak": {"fp32": "1 TFLOP/s"},
                "runtimes": {"ncnn": {"factors": {"fp32": {"softmax": 2}}}},
            },
        )
