"""Artifacts that the measured node serves: a Vision Transformer, or parts without work."""

from __future__ import annotations

from pathlib import Path

from edgesim.common.errors import InputError
from partition.config import ViTConfig, preset
from partition.errors import InputError as PartitionInputError

_NULL_CLASSES = 2
"""Classes of the null artifact."""


def check_servable(name: str) -> None:
    """Check that a model can be served.

    Raises:
        InputError: it cannot; the message lists those that can.
    """
    try:
        preset(name)
    except PartitionInputError as error:
        raise InputError(f"--model: nodes serve Vision Transformers: {error}") from None


def write_model(folder: Path, name: str) -> None:
    """Write an artifact whose one part is a model with random weights."""
    import torch

    from partition.artifact import write_untrained
    from partition.model import VisionTransformer

    config = preset(name)
    model = VisionTransformer(config, torch.Generator().manual_seed(0))
    write_untrained(folder, name, (model,), config.classes)


def write_null_artifact(folder: Path, sides: tuple[int, ...], parts: int) -> dict[int, list[int]]:
    """Write an artifact that computes next to nothing, so that its messages are all that it costs.

    It has ``parts`` parts for each side of an image, in pixels. Every part is a Vision Transformer
    of width 1 that sees one patch. No one artifact of a real model has images of several sizes; a
    request here goes to parts of one size.

    Returns:
        Numbers of the parts by side.
    """
    from partition.artifact import write_untrained
    from partition.model import VisionTransformer

    numbers: dict[int, list[int]] = {}
    models: list[VisionTransformer] = []
    for side in sides:
        for _ in range(parts):
            config = ViTConfig(
                image=side,
                channels=1,
                patch=side,
                width=1,
                depth=1,
                heads=1,
                head_width=1,
                mlp_width=1,
                classes=1,
            )
            number = len(models)
            numbers.setdefault(side, []).append(number)
            models.append(VisionTransformer(config))
    write_untrained(folder, "null", tuple(models), _NULL_CLASSES)
    return numbers
