"""Finished steps on disk: a killed run continues, and runs share equal steps.

Every step is filed under its name and a fingerprint of everything that it depends on, so a folder
can serve any number of recipes: what they have in common is made once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from partition.errors import InputError
from partition.model import VisionTransformer
from partition.progress import Progress, silent
from partition.store import load_tensors, save_tensors
from partition.train import TrainRun
from partition.weights import load_vit, save_vit

State = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Workshop:
    """A folder of finished steps.

    Attributes:
        folder: made when the first step is filed.
        progress: called with how far each step is.
        device: device to train on; the CPU by default.
    """

    folder: Path
    progress: Progress = silent
    device: torch.device | None = None

    @property
    def place(self) -> torch.device:
        """The device, the CPU where none was given."""
        return self.device or torch.device("cpu")

    def model(
        self,
        name: str,
        key: str,
        make: Callable[[TrainRun], tuple[VisionTransformer, State]],
    ) -> tuple[VisionTransformer, State]:
        """Return the step's model and notes, made where they are not filed.

        A filed step that is damaged is made again. The checkpoint is removed once the step is
        filed.

        Args:
            name: name of the step and its file.
            key: fingerprint of everything that the step depends on.
            make: makes the step, given its name, checkpoint, progress and device.
        """

        def load(path: Path) -> tuple[VisionTransformer, State]:
            return load_vit(path), load_tensors(path)[1]

        return self._filed(name, key, make, load, save_vit)

    def tensors(
        self,
        name: str,
        key: str,
        make: Callable[[TrainRun], tuple[dict[str, Tensor], State]],
    ) -> tuple[dict[str, Tensor], State]:
        """Return the step's tensors and notes; otherwise like :meth:`model`."""
        return self._filed(name, key, make, load_tensors, save_tensors)

    def _filed(
        self,
        name: str,
        key: str,
        make: Callable[[TrainRun], tuple[T, State]],
        load: Callable[[Path], tuple[T, State]],
        save: Callable[[Path, T, State], None],
    ) -> tuple[T, State]:
        path = self.folder / f"{name}-{key}.safetensors"
        if path.exists():
            try:
                made, state = load(path)
                return made, state["notes"]
            except (InputError, KeyError):
                path.unlink()
        checkpoint = path.with_suffix(".checkpoint.safetensors")
        run = TrainRun(
            name=name, checkpoint=checkpoint, identity=key, progress=self.progress,
            device=self.device,
        )  # fmt: skip
        made, notes = make(run)
        save(path, made, {"notes": notes})
        checkpoint.unlink(missing_ok=True)
        return made, notes
