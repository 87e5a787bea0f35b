"""Costs of messages come out of the processor times that they made."""

from __future__ import annotations

import math

import pytest

from edgesim.calibrate.profile.messaging import Row, fit
from edgesim.hardware import Cooling

PER_MESSAGE, PER_BYTE, DELAY = 150e-6, 0.9e-9, 80e-6
REQUEST, ASK, ASK_BYTE = 700e-6, 60e-6, 1.1e-9


def rows(cooling: Cooling, rates: tuple[float, ...] = (10.0, 40.0, 160.0, math.inf)) -> list[Row]:
    """Requests whose first message comes after a rest, and the others soon after it."""
    found = []
    shapes = [(1, 8, rate) for rate in rates]
    shapes += [(parts, side, 40.0) for parts in (2, 4) for side in (8, 128, 384)]
    for parts, side, rate in shapes:
        messages, size = 2 * (parts + 1), parts * (4.0 * side**2 + 300)
        rest_s = 1.5e-3 if math.isinf(rate) else 1 / rate
        wall_s = 0.0
        # What messages cost depends on how long they take: to the fixed point.
        for _ in range(200):
            first = cooling.factor(max(0.0, rest_s - wall_s))
            mean = (first + (messages - 1) * cooling.factor(wall_s / messages)) / messages
            factor = 1.0 if math.isinf(rate) else mean
            node_s = factor * (PER_MESSAGE * messages + PER_BYTE * size)
            asks_s = factor * (ASK * messages + ASK_BYTE * size)
            wall_s = node_s + asks_s + 400e-6 + DELAY * messages
        found.append(
            Row(
                parts=parts,
                side=side,
                rate_per_s=rate,
                rest_s=rest_s,
                bytes=size,
                node_s=node_s,
                coordinator_s=factor * REQUEST + asks_s,
                compute_s=400e-6,
                wall_s=wall_s,
            )
        )
    return found


@pytest.mark.parametrize("cooling", [Cooling(), Cooling(share=0.8, time_s=20e-3)])
def test_recovers_the_costs(cooling: Cooling) -> None:
    found = fit(rows(cooling))
    costs = found.messaging
    assert costs.per_message_s == pytest.approx(PER_MESSAGE, rel=0.01)
    assert costs.per_byte_s == pytest.approx(PER_BYTE, rel=0.01)
    assert costs.delay_s == pytest.approx(DELAY, rel=0.02)
    assert costs.asking.per_request_s == pytest.approx(REQUEST, rel=0.01)
    assert costs.asking.per_message_s == pytest.approx(ASK, rel=0.01)
    assert costs.asking.per_byte_s == pytest.approx(ASK_BYTE, rel=0.01)
    assert costs.cooling.factor(0.1) == pytest.approx(cooling.factor(0.1), rel=0.01)
    assert found.node_r2 > 0.999
    assert found.coordinator_r2 > 0.999


def test_two_rates_say_nothing_of_rests() -> None:
    assert fit(rows(Cooling(share=0.8), (40.0,))).messaging.cooling == Cooling()


def test_costs_are_never_negative() -> None:
    made = rows(Cooling())
    for number, row in enumerate(made):
        object.__setattr__(row, "node_s", 1e-3 / (number + 1))
        object.__setattr__(row, "wall_s", 1e-4)
    found = fit(made)
    assert found.messaging.per_byte_s >= 0.0
    assert found.messaging.delay_s == 0.0
    assert found.left_s < 0.0
    assert found.node_r2 < 0.9
