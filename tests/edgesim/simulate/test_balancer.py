"""The choice of a branch for each request, against a look at all branches."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import cast

import pytest

from edgesim.simulate.balancer import Balancer
from edgesim.simulate.work import ReadyBranch


@dataclass
class Station:
    up: bool = True


@dataclass(eq=False)
class Branch:
    """What a balancer reads and writes of a `ReadyBranch`."""

    expected_s: float
    servers: tuple[Station, ...]
    load: int = 0

    @property
    def next_work_s(self) -> float:
        return (self.load + 1) * self.expected_s


@pytest.mark.parametrize("seed", range(50))
def test_the_first_of_the_least_loaded_branches_that_are_up(seed: int) -> None:
    chance = random.Random(seed)
    branches = tuple(
        Branch(chance.choice([0.0, 1.0, 1.0, 1.5, 2.0, 3.0]), (Station(), Station()))
        for _ in range(chance.randint(2, 12))
    )
    balancer = Balancer(cast("tuple[ReadyBranch, ...]", branches))
    in_flight: list[ReadyBranch] = []
    for _ in range(400):
        if chance.random() < 0.2:
            chance.choice(chance.choice(branches).servers).up = chance.random() < 0.6
        if in_flight and chance.random() < 0.5:
            balancer.give_back(in_flight.pop(chance.randrange(len(in_flight))))
            continue
        up = [branch for branch in branches if all(server.up for server in branch.servers)]
        # `min` returns the first of equals.
        least = min(up or branches, key=lambda branch: branch.next_work_s)
        taken = balancer.take()
        assert taken is cast("ReadyBranch", least)
        in_flight.append(taken)
    assert sum(branch.load for branch in branches) == len(in_flight)
