"""What a ConvShareViT asks for: the convolutions, as the tile planner takes them, and parameters.

Imports no torch.
"""

from __future__ import annotations

from math import prod

from optics.convshare.config import ConvShareConfig
from optics.errors import InputError
from optics.tiling.shape import ConvShape


def shapes(config: ConvShareConfig, batch: int) -> dict[str, ConvShape]:
    """Return the shape of every convolution of a model by its name, in the order of their calls.

    The first cuts images into patches: a convolution too, of which a stride keeps few outputs.

    Args:
        config: of the model.
        batch: images.

    Raises:
        InputError: no image.
    """
    if batch < 1:
        raise InputError(f"a batch has at least one image; {batch} came")
    patch = (config.patch, config.patch)
    found = {
        "patch_embed.proj": ConvShape(
            batch=batch,
            in_channels=config.channels,
            out_channels=config.width,
            size=(config.image, config.image),
            kernel=patch,
            stride=patch,
        )
    }
    for index in range(config.depth):
        for name, layer in config.layers().items():
            shape = layer.shape(batch)
            if shape is not None:
                found[f"blocks.{index}.{name}"] = shape
    return found


def parameters_count(config: ConvShareConfig) -> int:
    """Return how many numbers a model learns."""
    width = config.width
    norms = 2 * width
    block = 2 * norms + sum(
        prod(layer.weight) + layer.weight[0] for layer in config.layers().values()
    )
    embedding = width * (config.channels * config.patch**2 + 1) + width * (1 + config.tokens)
    return embedding + config.depth * block + norms + config.classes * (width + 1)
