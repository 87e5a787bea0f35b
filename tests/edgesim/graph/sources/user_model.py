"""What a user might have in a file: modules, and callables that build them."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Net(nn.Module):
    """A stem, blocks of a convolution and a ReLU, and a head for ten classes."""

    def __init__(self, depth: int = 2, width: int = 8) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.blocks = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(depth))
        self.head = nn.Linear(width, 10)

    def forward(self, image: Tensor) -> Tensor:
        image = self.stem(image)
        for block in self.blocks:
            image = block(image).relu()
        return self.head(image.mean((2, 3)))


def build(depth: int = 2, width: int = 8) -> Net:
    return Net(depth, width)


def deeper() -> Net:
    return Net(5)


def needs(depth: int, width: int, *, scale: float = 1.0) -> Net:
    return Net(depth, width)


def fails() -> Net:
    return _inner(0)


def _inner(depth: int) -> Net:
    raise ValueError(f"a depth of {depth} is none")


def ends() -> Net:
    raise SystemExit(3)


def text() -> str:
    return "a net"


def on_the_cpu() -> Net:
    """Cannot be built on ``meta``, which has no values."""
    torch.linspace(0.0, 1.0, 3)[1].item()
    return Net()


INSTANCE = Net()
NUMBER = 3


class Several(nn.Module):
    """Reads tokens, a mask, a pair of images in a tuple, a dictionary, and a flag."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(100, 16)
        self.head = nn.Linear(16, 5)
        self.conv = nn.Conv3d(3, 4, (2, 3, 3))

    def forward(
        self, ids: Tensor, mask: Tensor, video: Tensor, pair: tuple[Tensor, Tensor],
        extra: dict[str, Tensor], scale: bool = False,
    ) -> dict[str, Tensor]:  # fmt: skip
        tokens = self.embedding(ids) * mask[..., None]
        if scale:
            tokens = tokens * 2.0
        first, second = pair
        return {
            "logits": self.head(tokens.mean(1)) + (first + second).sum(-1) + extra["bias"],
            "features": self.conv(video),
        }


def several() -> Several:
    return Several()


class Branches(nn.Module):
    """Two convolutions for training, with batch normalisation, which become one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.large = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.small = nn.Conv2d(width, width, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.merged: nn.Conv2d | None = None

    def forward(self, image: Tensor) -> Tensor:
        if self.merged is not None:
            return self.merged(image)
        return self.norm(self.large(image) + self.small(image))

    def switch_to_deploy(self) -> None:
        scale = self.norm.weight / (self.norm.running_var + self.norm.eps).sqrt()
        kernel = self.large.weight + nn.functional.pad(self.small.weight, (1, 1, 1, 1))
        merged = nn.Conv2d(len(scale), len(scale), 3, padding=1)
        merged.weight.data.copy_(kernel * scale[:, None, None, None])
        merged.bias.data.copy_(self.norm.bias - self.norm.running_mean * scale)
        self.merged = merged
        del self.large, self.small, self.norm


class Normed(nn.Module):
    """A convolution with batch normalisation, which fuse into a convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, image: Tensor) -> Tensor:
        return self.norm(self.conv(image))

    def fuse(self) -> nn.Conv2d:
        scale = self.norm.weight / (self.norm.running_var + self.norm.eps).sqrt()
        fused = nn.Conv2d(3, len(scale), 3)
        fused.weight.data.copy_(self.conv.weight * scale[:, None, None, None])
        fused.bias.data.copy_(self.norm.bias - self.norm.running_mean * scale)
        return fused


class Pair(nn.Module):
    """Has a method of that name that means something else, and a layer of such a name."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.reparameterize = nn.Conv2d(width, width, 1)

    def fuse(self, one: Tensor, other: Tensor) -> Tensor:
        return one + other

    def forward(self, image: Tensor) -> Tensor:
        return self.fuse(image, self.reparameterize(image))


def branched(width: int = 8) -> nn.Sequential:
    return nn.Sequential(Normed(width), Branches(width), Branches(width), Pair(width))


class Stubborn(Branches):
    def switch_to_deploy(self) -> None:
        del self.large
        raise RuntimeError("not today")


def stubborn() -> nn.Sequential:
    return nn.Sequential(Normed(8), Stubborn(8))


class Idle(Net):
    """Has weights that nothing reads."""

    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.Linear(8, 4)


def idle() -> Idle:
    return Idle()
