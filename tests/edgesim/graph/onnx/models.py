"""Ten small models for export, each with parameters and statistics that differ from one another.

Exporters share initializers that hold the same numbers, such as biases of zero.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.edgesim.graph.mechanisms import Deformable, Recursive, Streams, Tokens, Windowed
from tests.edgesim.graph.references import ExplicitAttention, ViT, mobilenet_v2, resnet


class Decoder(nn.Module):
    """Convolutions down, transposed ones up, with a skip connection."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, 2, 1)
        self.up = nn.ConvTranspose2d(8, 6, 2, 2)
        self.last = nn.Conv2d(9, 4, (3, 1), padding=(1, 0), dilation=1)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.up(functional.hardswish(self.down(x))))
        y = functional.interpolate(torch.cat((x, y), 1), scale_factor=0.5)
        return self.last(y)


class Recurrent(nn.Module):
    """An LSTM over the rows of an image, and a GRU after it."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.LSTM(24, 12, batch_first=True, bidirectional=True)
        self.second = nn.GRU(24, 5, batch_first=True)
        self.head = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.first(x.permute(0, 2, 1, 3).flatten(2))
        y, _ = self.second(y)
        return self.head(y[:, -1])


class Sums(nn.Module):
    """Products written as sums over indices, with weights and between activations."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3, 8, 5))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.einsum("bchw,cwd->bchd", x, self.weight)
        return torch.einsum("bchd,bcgd->bhg", y, y)


Made = tuple[Callable[[], nn.Module], tuple[int, ...]]
MODELS: dict[str, Made] = {
    "vit": (lambda: ViT(width=24, depth=2, heads=3, image_size=32), (3, 32, 32)),
    "explicit": (
        lambda: ViT(width=24, depth=1, heads=2, image_size=32, attention=ExplicitAttention),
        (3, 32, 32),
    ),
    "resnet": (lambda: resnet((1, 1, 1, 1), False, 10), (3, 64, 64)),
    "bottleneck": (lambda: resnet((1, 2), True, 10), (3, 32, 32)),
    "mobilenet": (lambda: mobilenet_v2(10), (3, 64, 64)),
    "windows": (lambda: Tokens(Windowed()), (3, 32, 32)),
    "recursive": (lambda: Tokens(Recursive()), (3, 32, 32)),
    "deformable": (lambda: Tokens(Deformable()), (3, 32, 32)),
    "streams": (lambda: Tokens(Streams()), (3, 32, 32)),
    "decoder": (Decoder, (3, 16, 16)),
    "recurrent": (Recurrent, (3, 8, 8)),
    "sums": (Sums, (3, 6, 8)),
}


def make(name: str) -> tuple[nn.Module, Tensor]:
    """Return a model in evaluation mode, with drawn numbers everywhere, and an example of one."""
    build, shape = MODELS[name]
    generator = torch.Generator().manual_seed(7)
    module = build().eval()
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    return module, torch.rand(1, *shape, generator=generator)


def after_folds(module: nn.Module) -> int:
    """Parameters that are left where a batch normalisation is folded into the layer before it.

    Scale and shift of each channel become a bias, since the convolutions here have none.
    """
    norms = (part for part in module.modules() if isinstance(part, nn.BatchNorm2d))
    return sum(p.numel() for p in module.parameters()) - sum(one.num_features for one in norms)
