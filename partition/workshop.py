"""Finished steps on disk: a run that was killed goes on where it was, and runs share what is equal.

Every step is filed under its name and a fingerprint of everything that it depends on, so a folder
can serve any number of recipes: what they have in common is made once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from partition.errors import InputError
from partition.model import VisionTransformer
from partition.store import load_tensors, save_tensors
from partition.weights import load_vit, save_vit

State = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Workshop:
    """A folder of finished steps.

    Attributes:
        folder: made when the first step is filed.
    """

    folder: Path

    def checkpoint(self, name: str, key: str) -> Path:
        """Return where a step keeps the checkpoint of its training."""
        return self.folder / f"{name}-{key}.checkpoint.safetensors"

    def model(
        self,
        name: str,
        key: str,
        make: Callable[[Path], tuple[VisionTransformer, State]],
    ) -> tuple[VisionTransformer, State]:
        """Return the step's model and notes, made by ``make(checkpoint path)`` where not filed.

        A filed step that is damaged is made again. The checkpoint is removed once the step is
        filed.
        """
        path = self.folder / f"{name}-{key}.safetensors"
        if path.exists():
            try:
                return load_vit(path), load_tensors(path)[1]["notes"]
            except (InputError, KeyError):
                path.unlink()
        checkpoint = self.checkpoint(name, key)
        model, notes = make(checkpoint)
        save_vit(path, model, {"notes": notes})
        checkpoint.unlink(missing_ok=True)
        return model, notes

    def tensors(
        self,
        name: str,
        key: str,
        make: Callable[[Path], tuple[dict[str, Tensor], State]],
    ) -> tuple[dict[str, Tensor], State]:
        """Return the step's tensors and notes; otherwise like :meth:`model`."""
        path = self.folder / f"{name}-{key}.safetensors"
        if path.exists():
            try:
                tensors, state = load_tensors(path)
                return tensors, state["notes"]
            except (InputError, KeyError):
                path.unlink()
        checkpoint = self.checkpoint(name, key)
        tensors, notes = make(checkpoint)
        save_tensors(path, tensors, {"notes": notes})
        checkpoint.unlink(missing_ok=True)
        return tensors, notes
