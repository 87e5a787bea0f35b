"""What is remembered of graphs is remembered once, and no longer than the graphs are there."""

from __future__ import annotations

import gc
import weakref

import pytest

from edgesim.graph import zoo
from edgesim.hardware import catalog


def test_a_model_is_built_once_for_the_same_options() -> None:
    assert zoo.build("resnet18", classes=10) is zoo.build("resnet18", classes=10)
    assert zoo.build("resnet18", classes=10) is not zoo.build("resnet18", classes=20)


@pytest.mark.parametrize("name", ["raspberry-pi-4b", "lt-b", "4f-lcos-pluto"])
def test_a_device_does_not_hold_the_graphs_that_it_gave_costs_of(name: str) -> None:
    device = catalog.device(name)
    precision = device.precisions()[0]
    whole = zoo.build("resnet18", classes=10)
    cost = device.graph_cost(whole, precision)
    assert device.graph_cost(whole, precision) is cost
    part = whole.slice(0, len(whole.ops) // 2)
    assert device.graph_cost(part, precision).time_s < cost.time_s
    alive = weakref.ref(part)
    del part
    gc.collect()
    assert alive() is None
