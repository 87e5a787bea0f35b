"""Plain torch models to hold the torch-free builders against; parameters bear timm's names."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    def __init__(self, width: int, heads: int, head_width: int) -> None:
        super().__init__()
        self.heads, self.head_width = heads, head_width
        self.qkv = nn.Linear(width, 3 * heads * head_width)
        self.proj = nn.Linear(heads * head_width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, _ = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, self.head_width)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(q, k, v)
        return self.proj(mixed.transpose(1, 2).reshape(batch, tokens, -1))


class ExplicitAttention(Attention):
    """The same by hand: softmax(Q Kᵀ / √d) V, with indexing instead of unbinding."""

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, _ = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, self.head_width)
        qkv = qkv.permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0], qkv[1], qkv[2]
        weights = (q @ k.transpose(-2, -1) * self.head_width**-0.5).softmax(-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(batch, tokens, -1))


class Mlp(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.act(self.fc1(x)))


class Block(nn.Module):
    def __init__(
        self, width: int, heads: int, head_width: int, hidden: int, attention: type[Attention]
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = attention(width, heads, head_width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, hidden)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    def __init__(self, channels: int, width: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, width, patch, patch)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).flatten(2).transpose(1, 2)


class ViT(nn.Module):
    def __init__(
        self,
        *,
        width: int,
        depth: int,
        heads: int,
        classes: int = 1000,
        image_size: int = 224,
        patch_size: int = 16,
        channels: int = 3,
        head_width: int | None = None,
        mlp_width: int | None = None,
        distilled: bool = False,
        attention: type[Attention] = Attention,
    ) -> None:
        super().__init__()
        head_width = head_width or width // heads
        tokens = (image_size // patch_size) ** 2 + 1 + distilled
        self.patch_embed = PatchEmbed(channels, width, patch_size)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.dist_token = nn.Parameter(torch.zeros(1, 1, width)) if distilled else None
        self.pos_embed = nn.Parameter(torch.zeros(1, tokens, width))
        self.blocks = nn.Sequential(
            *(
                Block(width, heads, head_width, mlp_width or 4 * width, attention)
                for _ in range(depth)
            )
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)
        self.head_dist = nn.Linear(width, classes) if distilled else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch_embed(x)
        prefix = [t for t in (self.cls_token, self.dist_token) if t is not None]
        x = torch.cat([*(t.expand(len(x), -1, -1) for t in prefix), x], 1) + self.pos_embed
        x = self.norm(self.blocks(x))
        if self.head_dist is None:
            return self.head(x[:, 0])
        return (self.head(x[:, 0]) + self.head_dist(x[:, 1])) / 2


class Residual(nn.Module):
    """Basic or bottleneck block of a ResNet."""

    def __init__(self, width: int, planes: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        out = planes * (4 if bottleneck else 1)
        layers = [(width, planes, 3, stride), (planes, planes, 3, 1)]
        if bottleneck:
            layers = [(width, planes, 1, 1), (planes, planes, 3, stride), (planes, out, 1, 1)]
        branch: list[nn.Module] = []
        for source, target, kernel, step in layers:
            conv = nn.Conv2d(source, target, kernel, step, kernel // 2, bias=False)
            branch += [conv, nn.BatchNorm2d(target), nn.ReLU()]
        self.branch = nn.Sequential(*branch[:-1])
        self.downsample = (
            nn.Sequential(nn.Conv2d(width, out, 1, stride, bias=False), nn.BatchNorm2d(out))
            if stride != 1 or width != out
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.branch(x) + self.downsample(x))


def resnet(blocks: tuple[int, ...], bottleneck: bool, classes: int = 1000) -> nn.Module:
    layers: list[nn.Module] = [
        nn.Conv2d(3, 64, 7, 2, 3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, 1),
    ]
    width = 64
    for stage, count in enumerate(blocks):
        for index in range(count):
            planes = 64 * 2**stage
            layers.append(Residual(width, planes, 2 if stage and not index else 1, bottleneck))
            width = planes * (4 if bottleneck else 1)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))


class Inverted(nn.Module):
    """Inverted residual of MobileNetV2."""

    def __init__(self, width: int, out: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = width * expansion
        layers = [] if expansion == 1 else conv_bn(width, hidden, 1)
        layers += conv_bn(hidden, hidden, 3, stride, hidden)
        self.layers = nn.Sequential(*layers, *conv_bn(hidden, out, 1)[:-1])
        self.skip = stride == 1 and width == out

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.skip else self.layers(x)


def conv_bn(width: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(width, out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(out), nn.ReLU6()]


def mobilenet_v2(classes: int = 1000) -> nn.Module:
    # expansion, out channels, repeats, stride: table 2 of arXiv 1801.04381
    table = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1)]
    table += [(6, 160, 3, 2), (6, 320, 1, 1)]
    layers = conv_bn(3, 32, 3, 2)
    width = 32
    for expansion, out, repeats, stride in table:
        for index in range(repeats):
            layers.append(Inverted(width, out, 1 if index else stride, expansion))
            width = out
    layers += [*conv_bn(width, 1280, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(1280, classes))
