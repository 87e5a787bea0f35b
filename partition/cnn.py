"""A small convolutional network, for the Split-CNN baseline: the class-wise recipe without a ViT.

Its units are the output channels of every convolution; like the ViT's they can be masked in place,
sample by sample, and sliced away for good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from partition.config import ImageSize, height_and_width
from partition.errors import InputError
from partition.surgery import keep_rows, with_weights


@dataclass(frozen=True, slots=True, kw_only=True)
class CnnConfig:
    """Shape of a :class:`SmallCnn`.

    Attributes:
        image: side of the input, or height and width, in pixels.
        channels: input channels.
        widths: output channels of the 3 by 3 convolutions, one after another.
        strides: strides of the convolutions, 1 or 2.
        classes: outputs.
    """

    image: ImageSize
    channels: int
    widths: tuple[int, ...]
    strides: tuple[int, ...]
    classes: int

    def __post_init__(self) -> None:
        if len(self.widths) != len(self.strides) or not self.widths or min(self.widths) < 1:
            raise InputError(
                f"a CNN needs a stride for every width, all at least 1, not {self.widths} and "
                f"{self.strides}"
            )

    def scaled(self, share: float, classes: int) -> CnnConfig:
        """Return the shape with every width times ``share``, rounded, at least 1."""
        widths = tuple(max(1, round(width * share)) for width in self.widths)
        return replace(self, widths=widths, classes=classes)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-able values."""
        fields = asdict(self)
        return fields | {"widths": list(self.widths), "strides": list(self.strides)}

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        chain = pairwise((self.channels, *self.widths))
        convolutions = sum(9 * before * after + after for before, after in chain)
        return convolutions + (self.widths[-1] + 1) * self.classes

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one image."""
        total, (rows, columns) = 0, height_and_width(self.image)
        chain = pairwise((self.channels, *self.widths))
        for (before, after), stride in zip(chain, self.strides, strict=True):
            rows, columns = -(-rows // stride), -(-columns // stride)
            total += 9 * before * after * rows * columns
        return total + self.widths[-1] * self.classes


class SmallCnn(nn.Module):
    """Convolutions with GELU, the mean over the image, and a linear head.

    Attributes:
        config: the shape.
    """

    def __init__(self, config: CnnConfig, generator: torch.Generator | None = None) -> None:
        """Build it with weights drawn from ``generator`` (He et al. 2015), or all zero."""
        super().__init__()
        self.config = config
        chain = pairwise((config.channels, *config.widths))
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride=stride, padding=1)
            for (before, after), stride in zip(chain, config.strides, strict=True)
        )
        self.head = nn.Linear(config.widths[-1], config.classes)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if generator is None or name.endswith("bias"):
                    parameter.zero_()
                else:
                    gain = 1.0 if name.startswith("head") else 2.0
                    deviation = (gain / parameter[0].numel()) ** 0.5
                    parameter.normal_(0.0, deviation, generator=generator)

    def features(self, images: Tensor, masks: Mapping[int, Tensor] | None = None) -> Tensor:
        """Return (batch, last width); ``masks[layer]`` is (batch or 1, width) of 1 and 0."""
        x = images
        for index, layer in enumerate(self.layers):
            x = functional.gelu(layer(x))
            if masks is not None and index in masks:
                x = x * masks[index][:, :, None, None]
        return x.mean((2, 3))

    def forward(self, images: Tensor, masks: Mapping[int, Tensor] | None = None) -> Tensor:
        """Return logits (batch, classes) of images (batch, channels, height, width)."""
        return self.head(self.features(images, masks))  # type: ignore[no-any-return]


def keep_channels(model: SmallCnn, kept: Sequence[Sequence[int]]) -> SmallCnn:
    """Return the network with only the channels ``kept[layer]``; masking gives the same logits."""
    weights = dict(model.state_dict())
    before: Sequence[int] = range(model.config.channels)
    for index, chosen in enumerate(kept):
        name = f"layers.{index}"
        weights[f"{name}.weight"] = weights[f"{name}.weight"][list(chosen)][:, list(before)]
        weights[f"{name}.bias"] = weights[f"{name}.bias"][list(chosen)]
        before = chosen
    weights["head.weight"] = weights["head.weight"][:, list(before)]
    smaller = SmallCnn(replace(model.config, widths=tuple(len(chosen) for chosen in kept)))
    return with_weights(smaller, weights).train(model.training)


def keep_cnn_outputs(model: SmallCnn, classes: Sequence[int], other: bool) -> SmallCnn:
    """Return the network with some outputs, as :func:`~partition.surgery.keep_outputs` does."""
    weights = dict(model.state_dict())
    keep_rows(weights, "head", classes, other)
    smaller = SmallCnn(replace(model.config, classes=len(classes) + other))
    return with_weights(smaller, weights).train(model.training)


@torch.no_grad()
def channel_importance(model: SmallCnn, inputs: Tensor) -> list[Tensor]:
    """Return by layer (width,): Σ over images of KL(softmax(z) ‖ softmax(z without it))."""
    original = functional.log_softmax(model(inputs), -1)
    scores = []
    for layer, width in enumerate(model.config.widths):
        divergence = torch.zeros(width, dtype=torch.float64)
        for channel in range(width):
            mask = torch.ones(1, width)
            mask[0, channel] = 0.0
            without = functional.log_softmax(model(inputs, {layer: mask}), -1)
            divergence[channel] = (original.exp() * (original - without)).sum().double()
        scores.append(divergence)
    return scores
