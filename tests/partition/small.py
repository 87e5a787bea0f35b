"""Tiny models and data that the tests share."""

import torch

from partition.config import ViTConfig
from partition.data import Data, Samples
from partition.model import VisionTransformer

TINY = ViTConfig(
    image=8, channels=1, patch=2, width=12, depth=2, heads=2, head_width=6, mlp_width=16, classes=4
)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def tiny_model(seed: int = 0, **changes: object) -> VisionTransformer:
    """A model with every weight drawn, biases and norms too, so that nothing hides behind zero."""
    draw = generator(seed)
    model = VisionTransformer(TINY.with_(**changes), draw)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=draw), alpha=0.2)
    return model.eval()


def images(count: int, config: ViTConfig = TINY, seed: int = 1) -> torch.Tensor:
    shape = (count, config.channels, config.image, config.image)
    return torch.randn(shape, generator=generator(seed))


def bars(count: int = 160, classes: int = 4, side: int = 8, seed: int = 0) -> Data:
    """Images of one bright row on noise; the class is the row's number over two."""
    draw = generator(seed)
    labels = torch.arange(count) % classes
    pixels = torch.randint(0, 60, (count, 1, side, side), generator=draw, dtype=torch.uint8)
    for index, label in enumerate(labels.tolist()):
        pixels[index, 0, 2 * label] = 250
    samples = Samples(pixels, labels)
    names = tuple(f"row {2 * label}" for label in range(classes))
    half, rest = (
        samples.take(torch.arange(count // 2)),
        samples.take(torch.arange(count // 2, count)),
    )
    middle = len(rest) // 2
    validation, test = rest.take(torch.arange(middle)), rest.take(torch.arange(middle, len(rest)))
    return Data("bars", names, half, validation, test, (0.2,), (0.3,), side)
