"""Devices of the catalog with changes: ``base`` and what stands beside it."""

from __future__ import annotations

from typing import Any

import pytest

from edgesim.common.errors import InputError
from edgesim.graph import zoo
from edgesim.hardware import catalog
from edgesim.hardware.processor import Processor


def amended(**changes: Any) -> Processor:
    device = catalog.from_mapping("mine", {"base": "raspberry-pi-4b", **changes})
    assert isinstance(device, Processor)
    return device


def test_what_is_not_changed_is_the_base_s() -> None:
    base, mine = catalog.device("raspberry-pi-4b"), amended(memory={"capacity": "8 GiB"})
    assert isinstance(base, Processor)
    assert mine.memory.capacity_bytes == 8 * 2**30
    assert mine.memory.bandwidth_byte_s == base.memory.bandwidth_byte_s
    assert (mine.power, mine.efficiency, mine.runtimes) == (
        base.power, base.efficiency, base.runtimes,
    )  # fmt: skip
    assert (mine.name, mine.published) == ("mine", base.published)


def test_an_efficiency_by_kind_alone_is_of_every_precision() -> None:
    mine = amended(efficiency={"linear": 0.5})
    base = catalog.device("raspberry-pi-4b")
    assert isinstance(base, Processor)
    for precision, shares in mine.efficiency.items():
        assert shares == {**base.efficiency[precision], "linear": 0.5}


def test_arithmetic_and_launches_follow_the_clock() -> None:
    base, mine = catalog.device("raspberry-pi-4b"), amended(clock="1.8 GHz")
    assert isinstance(base, Processor)
    assert mine.peak_flop_s["fp32"] == pytest.approx(1.2 * base.peak_flop_s["fp32"], rel=1e-12)
    assert mine.launch_overhead_s == pytest.approx(base.launch_overhead_s / 1.2, rel=1e-12)
    assert mine.memory == base.memory
    graph = zoo.build("vit_tiny_patch16_224")
    faster, slower = (one.graph_cost(graph, "fp32").time_s for one in (mine, base))
    assert slower / 1.2 < faster < slower


def test_any_kind_can_be_amended() -> None:
    mine = catalog.from_mapping("mine", {"base": "4f-lcos-pluto", "host": "raspberry-pi-5"})
    assert mine.kind == "optical-4f"
    assert mine.host.name.startswith("mine") or mine.host.name == "raspberry-pi-5"  # type: ignore[attr-defined]
    assert catalog.from_mapping("mine", {"base": "lt-b"}).kind == "photonic-crossbar"


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"base": "raspberry-pi-4"}, "base: expected the name of a device .*did you mean 'raspb"),
        ({"base": ["raspberry-pi-4b"]}, "base: expected the name of a device of the catalog"),
        (
            {"base": "raspberry-pi-4b", "clock": "3 GHz"},
            "clock: times of 'raspberry-pi-4b' are published at 1.5 GHz to 1.8 GHz, got 3 GHz",
        ),
        ({"base": "raspberry-pi-5", "clock": "2 GHz"}, "published at 2.4 GHz alone, got 2 GHz"),
        ({"base": "nvidia-l4", "clock": "2 GHz"}, "'nvidia-l4' has no clock in the catalog"),
        ({"base": "raspberry-pi-4b", "clock": "fast"}, "clock: expected a quantity such as"),
        (
            {"base": "raspberry-pi-4b", "clock": "1.8 GHz", "peak": {"fp32": "1 GFLOP/s"}},
            "peak: 'clock' scales the base's 'peak'; give one of the two",
        ),
        ({"base": "raspberry-pi-4b", "memroy": {}}, "unknown key 'memroy' .did you mean 'memory'"),
    ],
)
def test_mistakes_are_told_by_their_key(mapping: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        catalog.from_mapping("mine", mapping)
