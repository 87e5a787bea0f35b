"""Prints the accuracy of a split model on JPEGs of several sizes, as nodes decode them.

Needs Fashion-MNIST (`edgesim partition` says how to get it) and Pillow::

    python examples/jpeg-accuracy.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from edgesim.serve.encoded import ImageDecoder, encode
from partition import read_trained
from partition.artifact import load_artifact
from partition.config import height_and_width
from partition.data import open_data, to_input

ARTIFACT = Path(__file__).parent / "fashion-2"
QUALITIES = (95, 75, 50, 25, 10)


@torch.inference_mode()
def accuracy(inputs: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the share of images that the parts and the fusion classify rightly."""
    artifact = load_artifact(ARTIFACT)
    right = 0
    for some, truth in zip(inputs.split(500), labels.split(500), strict=True):
        features = {
            number: part.pool(part.encode(part.embed(some))).flatten(1)
            for number, part in enumerate(artifact.parts)
        }
        right += int((artifact.fusion.combine(features).argmax(1) == truth).sum())
    return right / len(labels)


def main() -> None:
    """Print a line for the raw tensors, and one for each quality."""
    manifest = read_trained(ARTIFACT)
    data, test = manifest.data, open_data(manifest.recipe.data).test
    images, labels = test.images[:], test.labels
    raw = to_input(images, data.image, data.mean, data.std)
    print(f"raw tensors, {raw[0].numel() * 4:,} B: {accuracy(raw, labels):.2%}")
    plain = to_input(images, data.image, (0.0,) * data.channels, (1.0,) * data.channels)
    levels = (plain * 255).round().to(torch.uint8).numpy()
    shape = (data.channels, *height_and_width(data.image))
    decoder = ImageDecoder(shape=shape, mean=data.mean, std=data.std)
    for quality in QUALITIES:
        jpegs = [encode(one, quality) for one in levels]
        size = np.mean([len(one) for one in jpegs])
        found = accuracy(torch.from_numpy(decoder.decode("input", jpegs)), labels)
        print(f"JPEG of quality {quality}, {size:,.0f} B: {found:.2%}")


if __name__ == "__main__":
    main()
