"""A small model of handwritten digits whose convolution runs on the 4f system of own parts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

from optics.detection import TwoShot
from optics.layers import Bench
from optics.system import FourF

PARTS = Path(__file__).parent / "own" / "own-4f.yaml"
TRAINED = 1400
"""Digits that the model is trained on; the others of 1,797 test it."""


@dataclass(frozen=True)
class Digits:
    """Images (digits, 1, 16, 16) from 0 to 1 and their classes, in random order."""

    images: Tensor
    labels: Tensor

    @classmethod
    def read(cls) -> Digits:
        """Return the digits of scikit-learn, 8 x 8 pixels each, shown by 2 x 2."""
        found = load_digits()
        order = torch.randperm(len(found.images), generator=torch.Generator().manual_seed(0))
        images = torch.tensor(found.images / 16, dtype=torch.float32)[order, None]
        wide = images.repeat_interleave(2, -1).repeat_interleave(2, -2)
        return cls(wide, torch.tensor(found.target)[order])

    def tested(self, count: int) -> tuple[Tensor, Tensor]:
        """Return so many digits that no training sees."""
        return self.images[TRAINED : TRAINED + count], self.labels[TRAINED : TRAINED + count]


def network() -> nn.Sequential:
    """Return the model: a convolution, whose place light takes, and a linear layer."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(), nn.Linear(128, 10)
    )


def bench(system: FourF) -> Bench:
    """Return the system set up: positive and negative kernels one after the other."""
    return Bench(system, scheme=TwoShot(), max_bytes=2**30)


def train(model: nn.Module, digits: Digits, steps: int, *, batch: int, rate: float) -> None:
    """Train a model, on light or not; light draws its noise in every step."""
    generator = torch.Generator().manual_seed(1)
    adam = torch.optim.Adam(model.parameters(), lr=rate)
    for step in range(steps):
        for group in adam.param_groups:
            group["lr"] = rate * (1 + math.cos(math.pi * step / steps)) / 2
        chosen = torch.randint(TRAINED, (batch,), generator=generator)
        loss = functional.cross_entropy(model(digits.images[chosen]), digits.labels[chosen])
        adam.zero_grad()
        loss.backward()
        adam.step()


def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the share of right answers."""
    with torch.no_grad():
        return float((model(images).argmax(-1) == labels).double().mean())
