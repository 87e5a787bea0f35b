"""Small modules of our own, one for each mechanism that systems built on Transformers add."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH, SIDE, HEADS = 16, 8, 2
IMAGE = (3, 32, 32)


class Tokens(nn.Module):
    """Patches of 4 pixels as tokens, what a mechanism makes of them, and a classifier."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, WIDTH, 4, 4)
        self.body = body
        self.head = nn.Linear(WIDTH, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).permute(0, 2, 3, 1)
        return self.head(self.body(x).flatten(1, -2).mean(1))


class SelfAttention(nn.Module):
    """Attention of all tokens, written out: (B, tokens, width)."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, _ = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        scores = (qkv[0] @ qkv[1].transpose(-2, -1)).softmax(-1)
        return self.proj((scores @ qkv[2]).transpose(1, 2).reshape(batch, tokens, WIDTH))


class Windowed(nn.Module):
    """Attention inside shifted windows, with a learned bias for each relative position."""

    WINDOW = 4

    def __init__(self) -> None:
        super().__init__()
        self.attn = SelfAttention()

    def forward(self, x: Tensor) -> Tensor:
        batch, w, n = x.shape[0], self.WINDOW, SIDE // self.WINDOW
        y = torch.roll(x, (-2, -2), (1, 2)).view(batch, n, w, n, w, WIDTH)
        y = y.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, w * w, WIDTH)
        y = self.attn(y).view(batch, n, n, w, w, WIDTH)
        y = y.permute(0, 1, 3, 2, 4, 5).reshape(batch, SIDE, SIDE, WIDTH)
        return x + torch.roll(y, (2, 2), (1, 2))


class Outlook(nn.Module):
    """Attention of each place to its 3x3 neighbours, with weights from the centre alone (VOLO)."""

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Linear(WIDTH, WIDTH)
        self.weights = nn.Linear(WIDTH, HEADS * 81)

    def forward(self, x: Tensor) -> Tensor:
        batch = len(x)
        value = functional.unfold(self.value(x).permute(0, 3, 1, 2), 3, padding=1)
        value = value.view(batch, HEADS, WIDTH // HEADS, 9, SIDE * SIDE).permute(0, 1, 4, 3, 2)
        weights = self.weights(x).view(batch, SIDE * SIDE, HEADS, 9, 9).transpose(1, 2).softmax(-1)
        mixed = (weights @ value).permute(0, 1, 4, 3, 2).reshape(batch, WIDTH * 9, SIDE * SIDE)
        return functional.fold(mixed, (SIDE, SIDE), 3, padding=1).permute(0, 2, 3, 1)


class Deformable(nn.Module):
    """Attention to a few sampled places, which each query chooses by learned offsets."""

    POINTS = 4

    def __init__(self) -> None:
        super().__init__()
        self.offsets = nn.Linear(WIDTH, 2 * self.POINTS)
        self.weights = nn.Linear(WIDTH, self.POINTS)
        self.value = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        batch = len(x)
        places = self.offsets(x).view(batch, SIDE * SIDE, self.POINTS, 2).tanh()
        value = self.value(x).permute(0, 3, 1, 2)
        found = functional.grid_sample(value, places, align_corners=False)
        weights = self.weights(x).flatten(1, 2).softmax(-1).unsqueeze(1)
        return (found * weights).sum(-1).transpose(1, 2).view_as(x)


class Recursive(nn.Module):
    """One block that is applied several times with the same weights (SReT)."""

    def __init__(self) -> None:
        super().__init__()
        self.attn = SelfAttention()

    def forward(self, x: Tensor) -> Tensor:
        y = x.flatten(1, 2)
        for _ in range(3):
            y = y + self.attn(y)
        return y.view_as(x)


class Fourier(nn.Module):
    """A learned filter in the frequency domain (GFNet, HorNet-GF)."""

    def __init__(self) -> None:
        super().__init__()
        self.filter = nn.Parameter(torch.randn(SIDE, SIDE // 2 + 1, WIDTH, 2))

    def forward(self, x: Tensor) -> Tensor:
        spectrum = torch.fft.rfft2(x, dim=(1, 2), norm="ortho")
        spectrum = spectrum * torch.view_as_complex(self.filter)
        return torch.fft.irfft2(spectrum, s=(SIDE, SIDE), dim=(1, 2), norm="ortho")


class Merging(nn.Module):
    """Tokens merged by likeness, with what blocks share held in a dictionary (MCTF, ToMe)."""

    KEEP = 40

    def __init__(self) -> None:
        super().__init__()
        self.state: dict[str, Any] = {"sizes": None, "seen": []}
        self.attn = SelfAttention()

    def forward(self, x: Tensor) -> Tensor:
        y = self.attn(x.flatten(1, 2))
        self.state["seen"].append(y.shape[1])
        self.state["last"] = y
        even, odd = y[:, ::2], y[:, 1::2]
        best, place = (even @ odd.transpose(1, 2)).max(-1)
        order = best.argsort(-1, descending=True)
        gone = order[:, : y.shape[1] - self.KEEP, None].expand(-1, -1, WIDTH)
        rest = order[:, y.shape[1] - self.KEEP :, None].expand(-1, -1, WIDTH)
        target = place.gather(1, gone[..., 0])[..., None].expand(-1, -1, WIDTH)
        odd = torch.zeros_like(odd).copy_(odd)
        odd = odd.scatter_reduce(1, target, even.gather(1, gone), reduce="mean")
        return torch.cat((even.gather(1, rest), odd), 1).unsqueeze(1)


class Streams(nn.Module):
    """Two streams of other patches that exchange their first tokens (CrossViT)."""

    def __init__(self) -> None:
        super().__init__()
        self.coarse = nn.Conv2d(WIDTH, WIDTH, 2, 2)
        self.first, self.second = SelfAttention(), SelfAttention()

    def forward(self, x: Tensor) -> Tensor:
        fine = x.flatten(1, 2)
        coarse = self.coarse(x.permute(0, 3, 1, 2)).flatten(2).transpose(1, 2)
        one = self.first(torch.cat((coarse[:, :1], fine[:, 1:]), 1))
        other = self.second(torch.cat((fine[:, :1], coarse[:, 1:]), 1))
        return torch.cat((one, other), 1).unsqueeze(1)


class Wavelet(nn.Module):
    """Haar's wavelet there and back, with a layer on each band between (Scattering ViT)."""

    def __init__(self) -> None:
        super().__init__()
        low, high = torch.tensor([1.0, 1.0]), torch.tensor([1.0, -1.0])
        bands = torch.stack([torch.outer(a, b) for a in (low, high) for b in (low, high)]) / 2
        self.register_buffer("bands", bands[:, None].repeat(WIDTH, 1, 1, 1))
        self.mix = nn.Conv2d(4 * WIDTH, 4 * WIDTH, 1, groups=4)

    def forward(self, x: Tensor) -> Tensor:
        bands = self.get_buffer("bands")
        y = functional.conv2d(x.permute(0, 3, 1, 2), bands, stride=2, groups=WIDTH)
        y = functional.conv_transpose2d(self.mix(y), bands, stride=2, groups=WIDTH)
        return y.permute(0, 2, 3, 1)


MECHANISMS = (
    Windowed, Outlook, Deformable, Recursive, Fourier, Merging, Streams, Wavelet,
)  # fmt: skip
