"""The state of a training run between two epochs: everything that the next epoch depends on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from partition.errors import InputError
from partition.store import load_tensors, save_tensors


@dataclass(slots=True)
class TrainState:
    """State of a training between two epochs.

    Attributes:
        epoch: epochs finished.
        history: of each finished epoch: loss (nats) and learning rate; accuracy (0 to 1) and loss
            (nats) on the validation images, None without such images.
        best_epoch: the epoch (from 1) whose weights are the best so far; 0 before any.
        best_accuracy: its accuracy on the validation images; None without such images.
        best_loss: its loss on the validation images, likewise.
        best: its weights.
    """

    epoch: int = 0
    history: list[dict[str, float | None]] = field(default_factory=list)
    best_epoch: int = 0
    best_accuracy: float | None = None
    best_loss: float | None = None
    best: dict[str, Tensor] = field(default_factory=dict)

    @property
    def notes(self) -> dict[str, Any]:
        """How a training went: epochs, best epoch, its accuracy and loss, and history."""
        return {
            "epochs": self.epoch,
            "best_epoch": self.best_epoch,
            "validation_accuracy": self.best_accuracy,
            "validation_loss": self.best_loss,
            "history": self.history,
        }


_COUNTERS = ("epoch", "history", "best_epoch", "best_accuracy", "best_loss")


def save_checkpoint(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    state: TrainState,
    identity: str,
) -> None:
    """Write weights, optimiser moments and counters in one file, atomically."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in state.best.items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in moments.items()}
    save_tensors(
        path,
        tensors,
        {"identity": identity, **{name: getattr(state, name) for name in _COUNTERS}},
    )


def restore_checkpoint(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, identity: str
) -> TrainState:
    """Set model and optimiser to what :func:`save_checkpoint` wrote and return the counters.

    Raises:
        InputError: the file is damaged or of another run.
    """
    tensors, header = load_tensors(path)
    if header.get("identity") != identity:
        raise InputError(
            f"{path} is the checkpoint of another run (other recipe, data or seed); "
            "remove it or choose another folder"
        )
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "optimizer": {}}
    for name, value in tensors.items():
        group, _, rest = name.partition(".")
        parts[group][rest] = value
    model.load_state_dict(parts["model"])
    moments: dict[int, dict[str, Any]] = {}
    for name, value in parts["optimizer"].items():
        index, _, moment = name.partition(".")
        moments.setdefault(int(index), {})[moment] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
    return TrainState(best=parts["best"], **{name: header[name] for name in _COUNTERS})
