"""Models that compute next to nothing, so that asking for them is all that costs."""

from __future__ import annotations

from pathlib import Path

from partition.artifact import write_untrained
from partition.config import ViTConfig
from partition.model import VisionTransformer

CLASSES = 2


def write_null_artifact(folder: Path, sides: tuple[int, ...], parts: int) -> dict[int, list[int]]:
    """Write an artifact with ``parts`` parts for each side of an image, in pixels.

    Every part is a Vision Transformer of width 1 that sees one patch. No one artifact of a real
    model has images of several sizes; a request here goes to parts of one size.

    Returns:
        Numbers of the parts by side.
    """
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
    write_untrained(folder, "null", tuple(models), CLASSES)
    return numbers
