"""Finished steps on disk: a killed run continues, and runs share equal steps.

Every step is stored under its name and a fingerprint of everything that it depends on, the code
that computes it included. So a folder can serve any number of recipes: what they have in common is
computed once. Every reuse is reported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from partition.classify import TrainingSet, train_classifier
from partition.code_version import code_version
from partition.data import Data
from partition.errors import InputError
from partition.files import fingerprint
from partition.progress import Progress, Report, silent
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
        fresh: whether what is stored is ignored, and replaced.
    """

    folder: Path
    progress: Progress = silent
    device: torch.device = CPU
    fresh: bool = False

    def tensors(
        self,
        name: str,
        key: str,
        make: Callable[[TrainRun], tuple[dict[str, Tensor], Notes]],
        title: str | None = None,
    ) -> tuple[dict[str, Tensor], Notes]:
        """Return the step's tensors and notes; ``make`` computes them where they are not stored.

        A stored step that is damaged is computed again, and so is one that other code computed. The
        checkpoint of its training is removed once the step is stored.

        Args:
            name: name of the step's file.
            key: fingerprint of everything that the step depends on.
            make: computes the step, given its title, checkpoint, progress and device.
            title: name of the step in progress reports; ``name`` by default.
        """
        path = self.file(name, key)
        key = fingerprint(key, code_version())
        if self.fresh:
            self._remove_checkpoints(path)
        elif path.exists():
            stored = self._stored(path, title or name)
            if stored is not None:
                return stored
        checkpoint = path.with_suffix(".checkpoint.safetensors")
        run = TrainRun(
            name=title or name, checkpoint=checkpoint, identity=key, progress=self.progress,
            device=self.device,
        )  # fmt: skip
        tensors, notes = make(run)
        save_tensors(path, tensors, {"notes": notes})
        self._remove_checkpoints(path)
        return tensors, notes

    def file(self, name: str, key: str) -> Path:
        """Return the file in which this code stores a step."""
        return self.folder / f"{name}-{fingerprint(key, code_version())}.safetensors"

    def _stored(self, path: Path, title: str) -> tuple[dict[str, Tensor], Notes] | None:
        """Return a stored step, and report that it is reused; None where it is damaged."""
        try:
            tensors, state = load_tensors(path)
            notes = state["notes"]
        except (InputError, KeyError):
            path.unlink()
            note = f"{title}: {path} is damaged; it is computed again"
            self.progress(Report(step=title, done=0.0, note=note))
            return None
        note = f"{title}: reused, from {path}"
        self.progress(Report(step=title, done=1.0, note=note))
        return tensors, notes

    def _remove_checkpoints(self, path: Path) -> None:
        for left in self.folder.glob(f"{path.stem}.checkpoint*.safetensors"):
            left.unlink()

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
