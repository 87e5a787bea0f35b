"""Operators with bits of their own, transforms and shifts on a processor, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgesim.graph import Graph, Op, OpKind, fingerprint
from edgesim.hardware.processor import Memory, Processor

PLAIN = Op(
    name="fc", kind=OpKind.LINEAR, macs=50_000, params=5_000, input_elements=1_000,
    output_elements=500,
)  # fmt: skip


def machine(bandwidth_byte_s: float = float("inf"), **shares: float) -> Processor:
    return Processor(
        name="machine",
        peak_flop_s={"fp32": 1e9, "fp16": 2e9, "int8": 4e9, "int4": 8e9},
        efficiency={"fp32": shares, "int8": {"linear": 0.5}},
        memory=Memory(bandwidth_byte_s=bandwidth_byte_s),
    )


def time_s(device: Processor, op: Op, precision: str = "fp32", batch: int = 1) -> float:
    graph = Graph("one", [op], [], (op.input_elements,))
    return device.graph_cost(graph, precision, batch).time_s


@pytest.mark.parametrize(
    ("weights", "activations", "rate"),
    [
        (None, None, 1e9),
        (8, 8, 0.5 * 4e9),
        (4, 8, 0.5 * 4e9),  # the wider operand decides
        (4, 4, 8e9),
        (6, 3, 0.5 * 4e9),
        (16, 16, 1e9),  # no integer format holds them
        (4, None, 1e9),  # weights alone are widened before the product
    ],
)
def test_arithmetic_runs_in_the_format_that_holds_its_bits(
    weights: int | None, activations: int | None, rate: float
) -> None:
    op = replace(PLAIN, weight_bits=weights, activation_bits=activations)
    assert time_s(machine(), op) == pytest.approx(2 * 50_000 / rate)


def test_a_format_that_is_slower_is_not_taken() -> None:
    device = replace(machine(), peak_flop_s={"fp32": 1e9, "int8": 5e8}, efficiency={})
    op = replace(PLAIN, weight_bits=8, activation_bits=8)
    assert time_s(device, op) == pytest.approx(1e-4)


def test_bytes_that_are_moved_are_those_of_the_bits() -> None:
    device = machine(1e6)
    assert time_s(device, PLAIN) == pytest.approx(4 * 6_500 / 1e6)
    op = replace(PLAIN, weight_bits=4, activation_bits=8)
    assert time_s(device, op, batch=3) == pytest.approx((0.5 * 5_000 + 3 * 1_500) / 1e6)
    assert op.weight_bytes("fp16") == 2_500
    assert Graph("one", [op, replace(PLAIN, name="b")], []).weight_bytes("fp16") == 12_500


def test_a_transform_takes_its_flop_or_its_bytes() -> None:
    op = Op(
        name="fft", kind=OpKind.FFT, other_flop=80_000, input_elements=2_000, output_elements=2_002
    )
    assert (op.macs, op.flop) == (0, 80_000)
    assert time_s(machine(), op) == pytest.approx(80e-6)
    # A device without a figure for transforms reads memory as for normalisations.
    slow = machine(1e9, norm=0.1)
    assert time_s(slow, op) == pytest.approx(4 * 4_002 / 1e8)
    assert slow.explain(Graph("one", [op], []), "fp32").figures["flop"] == 80_000


def test_shifts_and_sums_take_the_time_of_the_product_unless_the_device_knows_them() -> None:
    op = replace(PLAIN, kind=OpKind.SHIFT_LINEAR)
    assert op.kind.fitted_as is OpKind.LINEAR
    assert time_s(machine(linear=0.25), op) == pytest.approx(4e-4)
    device = Processor(
        name="shifts", peak_flop_s={"fp32": 1e9},
        efficiency={"fp32": {"linear": 0.25, "shift-linear": 1.0}},
    )  # fmt: skip
    assert time_s(device, op) == pytest.approx(1e-4)


def test_blocks_of_zeros_cost_a_device_that_cannot_skip_them_dense_time() -> None:
    op = replace(PLAIN, density=0.25, block=(32, 32))
    assert (op.needed_macs, op.macs) == (12_500, 50_000)
    assert time_s(machine(), op) == time_s(machine(), PLAIN)


def test_the_fingerprint_of_plain_operators_stays_and_tells_others_apart() -> None:
    plain = Graph("one", [PLAIN], [], (1_000,))
    assert fingerprint(plain) == (
        "6770a3ad77de218f20dbea0611158f76d8cb858225db0dc8d8f65a9cb7e94850"
    )
    others = [
        replace(PLAIN, weight_bits=4), replace(PLAIN, activation_bits=4),
        replace(PLAIN, density=0.5), replace(PLAIN, block=(2, 2)), replace(PLAIN, other_flop=1),
    ]  # fmt: skip
    prints = {fingerprint(Graph("one", [op], [], (1_000,))) for op in (PLAIN, *others)}
    assert len(prints) == 6
