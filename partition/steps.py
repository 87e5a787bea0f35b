"""Finished steps on disk: a killed run continues, and runs share equal steps.

Every step is stored under its name and a fingerprint of everything that it depends on, so a folder
can serve any number of recipes: what they have in common is computed once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from partition.classify import TrainingSet, train_classifier
from partition.data import Data
from partition.errors import InputError
from partition.progress import Progress, silent
from partition.recipe import TrainConfig
from partition.store import load_tensors, save_tensors
from partition.train import CPU, TrainRun

Notes = dict[str, Any]
"""Result of a step beside its tensors, JSON-able: how a training went, figures."""


@dataclass(frozen=True, slots=True)
class StepStore:
    """A folder of finished steps.

    Attributes:
        folder: made when the first step is stored.
        progress: called with how far each step is.
        device: device to train on.
    """

    folder: Path
    progress: Progress = silent
    device: torch.device = CPU

    def tensors(
        self,
        name: str,
        key: str,
        make: Callable[[TrainRun], tuple[dict[str, Tensor], Notes]],
        title: str | None = None,
    ) -> tuple[dict[str, Tensor], Notes]:
        """Return the step's tensors and notes; ``make`` computes them where they are not stored.

        A stored step that is damaged is computed again. The checkpoint of its training is removed
        once the step is stored.

        Args:
            name: name of the step's file.
            key: fingerprint of everything that the step depends on.
            make: computes the step, given its title, checkpoint, progress and device.
            title: name of the step in progress reports; ``name`` by default.
        """
        path = self.folder / f"{name}-{key}.safetensors"
        if path.exists():
            try:
                tensors, state = load_tensors(path)
                return tensors, state["notes"]
            except (InputError, KeyError):
                path.unlink()
        checkpoint = path.with_suffix(".checkpoint.safetensors")
        run = TrainRun(
            name=title or name, checkpoint=checkpoint, identity=key, progress=self.progress,
            device=self.device,
        )  # fmt: skip
        tensors, notes = make(run)
        save_tensors(path, tensors, {"notes": notes})
        for left in self.folder.glob(f"{path.stem}.checkpoint*.safetensors"):
            left.unlink()
        return tensors, notes

    def train(
        self,
        name: str,
        key: str,
        model: nn.Module,
        images: TrainingSet,
        data: Data,
        config: TrainConfig,
        seed: int,
        title: str | None = None,
    ) -> Notes:
        """Train an image classifier in place, or load its stored weights; return how it went.

        The model ends on the CPU, in evaluation mode. For the other arguments see :meth:`tensors`
        and :func:`~partition.classify.train_classifier`.
        """

        def make(run: TrainRun) -> tuple[dict[str, Tensor], Notes]:
            state = train_classifier(model, images, data, config, seed, run)
            return model.state_dict(), state.notes

        weights, notes = self.tensors(name, key, make, title)
        model.load_state_dict(weights)
        model.cpu().eval()
        return notes
