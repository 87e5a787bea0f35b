"""Tiny models and data that the tests share, and what they are held against."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from partition.config import ImageSize, ViTConfig, height_and_width
from partition.data import Data, Samples
from partition.model import Masks, VisionTransformer

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


KINDS = [
    {"registers": 3},
    {"class_token": False, "pooling": "mean"},
    {"pooling": "mean-first", "norm_epsilon": 1e-5},
    {"pre_norm": True, "activation": "quick-gelu"},
    {"pre_norm": True, "registers": 1, "pooling": "mean", "activation": "gelu-tanh"},
]
"""What the relatives of the plain ViT add."""


def images(count: int, config: ViTConfig = TINY, seed: int = 1) -> torch.Tensor:
    shape = (count, config.channels, *config.size)
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


def counted_macs(model: torch.nn.Module, channels: int, image: ImageSize) -> int:
    """Return the MACs of one image through ``model``, counted operator by operator.

    The model is run on ``meta`` tensors, because the fused CPU attention hides its products from
    the counter.
    """
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.to("meta")(torch.empty(1, channels, *height_and_width(image), device="meta"))
    return int(counter.get_total_flops()) // 2


def masks_for(
    model: VisionTransformer,
    *,
    residual: Sequence[int] | None = None,
    attention: Sequence[Sequence[Sequence[int]]] | None = None,
    mlp: Sequence[Sequence[int]] | None = None,
) -> Masks:
    """Return the masks that leave exactly the given units, for every sample alike."""
    config = model.config
    attention_masks: dict[int, Tensor] = {}
    for block, heads in enumerate(attention or ()):
        mask = torch.zeros(1, config.heads, config.head_width)
        for head, dimensions in enumerate(heads):
            mask[0, head, list(dimensions)] = 1.0
        attention_masks[block] = mask
    return Masks(
        residual=None if residual is None else _ones_at(residual, config.width),
        attention=attention_masks,
        mlp={block: _ones_at(kept, config.mlp_width) for block, kept in enumerate(mlp or ())},
    )


def _ones_at(kept: Sequence[int], size: int) -> Tensor:
    mask = torch.zeros(1, size)
    mask[0, list(kept)] = 1.0
    return mask
