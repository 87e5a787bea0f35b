"""A plain Vision Transformer in torch whose parameters bear timm's names.

``blocks.3.attn.qkv.weight`` here is ``blocks.3.attn.qkv.weight`` there, so public checkpoints load
as they are. Every activation that pruning removes can be masked in place instead, sample by
sample, which is how importance is measured in batches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from partition.config import Activation, ViTConfig


@dataclass(frozen=True, slots=True)
class Masks:
    """What to leave out, as factors of 1 (kept) and 0 (removed).

    The leading dimension of every mask is the batch, or 1 for the same mask on every sample.

    Attributes:
        residual: (batch, width) residual channels, everywhere at once; None keeps all.
        attention: masks by block, (batch, heads, head width), of dimensions, jointly in Q, K, V and
            the projection's input.
        mlp: masks by block, (batch, mlp width), of feed-forward neurons.
    """

    residual: Tensor | None = None
    attention: Mapping[int, Tensor] = field(default_factory=dict)
    mlp: Mapping[int, Tensor] = field(default_factory=dict)


_ACTIVATIONS: Mapping[Activation, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "gelu-tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "quick-gelu": lambda x: x * torch.sigmoid(1.702 * x),
}


def _norm(config: ViTConfig) -> nn.LayerNorm:
    return nn.LayerNorm(config.width, eps=config.norm_epsilon)


def _masked_norm(norm: nn.LayerNorm, x: Tensor, mask: Tensor | None) -> Tensor:
    """Normalise ``x`` (batch, tokens, width) over the kept channels only.

    mean = Σ m x / Σ m, variance = Σ m (x - mean)² / Σ m: what the norm of the sliced model sees.
    """
    if mask is None:
        return norm(x)  # type: ignore[no-any-return]
    kept = mask[:, None, :]
    count = kept.sum(-1, keepdim=True)
    mean = (x * kept).sum(-1, keepdim=True) / count
    variance = ((x - mean).square() * kept).sum(-1, keepdim=True) / count
    return ((x - mean) * torch.rsqrt(variance + norm.eps) * norm.weight + norm.bias) * kept


class PatchEmbed(nn.Module):
    """Optional stem of strided convolutions, then one token a patch."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        widths = (config.channels, *config.stem)
        if config.stem:
            self.backbone = nn.ModuleList(
                nn.Conv2d(before, after, 3, stride=2, padding=1)
                for before, after in pairwise(widths)
            )
        self.stem_layers = len(config.stem)
        self.proj = nn.Conv2d(widths[-1], config.width, config.patch, stride=config.patch)

    def forward(self, images: Tensor) -> Tensor:
        """Return (batch, patches, width) of (batch, channels, height, width)."""
        x = images
        for index in range(self.stem_layers):
            x = functional.gelu(self.backbone[index](x))
        return self.proj(x).flatten(2).transpose(1, 2)  # type: ignore[no-any-return]


class Attention(nn.Module):
    """Multi-head self-attention whose inner width need not be the residual width."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.head_width = config.head_width
        self.qkv = nn.Linear(config.width, 3 * config.attention_width)
        self.proj = nn.Linear(config.attention_width, config.width)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return (batch, tokens, width); ``mask`` is (batch, heads, head width).

        softmax(Q Kᵀ / √d) V with d the head width. A masked dimension leaves d as it is: slicing
        folds the change of √d into the query weights.
        """
        batch, tokens, _ = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, self.head_width)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        if mask is not None:
            q, v = q * mask[:, :, None, :], v * mask[:, :, None, :]
        mixed = functional.scaled_dot_product_attention(q, k, v)
        return self.proj(  # type: ignore[no-any-return]
            mixed.transpose(1, 2).reshape(batch, tokens, self.heads * self.head_width)
        )


class Mlp(nn.Module):
    """Feed-forward layer: linear, GELU or the activation of the config, linear."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.width, config.mlp_width)
        self.fc2 = nn.Linear(config.mlp_width, config.width)
        self.activation = _ACTIVATIONS[config.activation]

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return (batch, tokens, width); ``mask`` is (batch, mlp width)."""
        hidden = self.activation(self.fc1(x))
        if mask is not None:
            hidden = hidden * mask[:, None, :]
        return self.fc2(hidden)  # type: ignore[no-any-return]


class Block(nn.Module):
    """Pre-norm block: x + attention(norm x), then x + mlp(norm x)."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.norm1 = _norm(config)
        self.attn = Attention(config)
        self.norm2 = _norm(config)
        self.mlp = Mlp(config)

    def forward(
        self,
        x: Tensor,
        residual: Tensor | None = None,
        attention: Tensor | None = None,
        mlp: Tensor | None = None,
    ) -> Tensor:
        """Return (batch, tokens, width)."""
        mixed = self.attn(_masked_norm(self.norm1, x, residual), attention)
        x = x + (mixed if residual is None else mixed * residual[:, None, :])
        fed = self.mlp(_masked_norm(self.norm2, x, residual), mlp)
        return x + (fed if residual is None else fed * residual[:, None, :])  # type: ignore[no-any-return]


class VisionTransformer(nn.Module):
    """ViT (Dosovitskiy et al. 2021), with what its kin add where the config says so.

    That is DeiT's distillation token, registers, average pooling, and CLIP's norm before the
    blocks. LayerScale needs nothing: its factors are those of the weights before them.

    Attributes:
        config: the shape.
    """

    def __init__(self, config: ViTConfig, generator: torch.Generator | None = None) -> None:
        """Build the model with weights drawn from ``generator``, or all zero without one."""
        super().__init__()
        self.config = config
        self.patch_embed = PatchEmbed(config)
        if config.class_token:
            self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        if config.distilled:
            self.dist_token = nn.Parameter(torch.zeros(1, 1, config.width))
        if config.registers:
            self.reg_token = nn.Parameter(torch.zeros(1, config.registers, config.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, config.tokens, config.width))
        if config.pre_norm:
            self.norm_pre = _norm(config)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = _norm(config)
        self.head = nn.Linear(config.width, config.classes)
        if config.distilled:
            self.head_dist = nn.Linear(config.width, config.classes)
        self._draw(generator)

    @torch.no_grad()
    def _draw(self, generator: torch.Generator | None) -> None:
        """Draw weights so that a narrow model trains from scratch in few steps.

        Matrices keep the variance of their input (normal of 1 / fan-in; twice that for the
        convolutions, He et al. 2015). Positions are drawn at half the scale of patches: timm's 0.02
        would leave tokens without a place for the first epochs, which a short run cannot afford.
        """
        for name, parameter in self.named_parameters():
            if name.endswith("weight") and "norm" in name:
                parameter.fill_(1.0)
            elif generator is None or name.endswith("bias"):
                parameter.zero_()
            elif parameter.ndim == 4:
                parameter.normal_(0.0, (2.0 / parameter[0].numel()) ** 0.5, generator=generator)
            elif name == "pos_embed":
                parameter.normal_(0.0, 0.5, generator=generator)
            elif parameter.ndim == 2:
                deviation = 0.02 if name.startswith("head") else parameter.shape[1] ** -0.5
                parameter.normal_(0.0, deviation, generator=generator)
            else:
                parameter.normal_(0.0, 0.02, generator=generator)

    def embed(self, images: Tensor, masks: Masks | None = None) -> Tensor:
        """Return (batch, tokens, width): patches with their prefix tokens and positions."""
        return self.enter(self.add_tokens(self.patch_embed(images)), masks)

    def add_tokens(self, patches: Tensor) -> Tensor:
        """Return (batch, tokens, width) of (batch, patches, width): prefix tokens and position."""
        config, prefix = self.config, list[Tensor]()
        if config.class_token:
            prefix.append(self.cls_token)
        if config.distilled:
            prefix.append(self.dist_token)
        if config.registers:
            prefix.append(self.reg_token)
        tokens = [token.expand(len(patches), -1, -1) for token in prefix]
        return torch.cat((*tokens, patches), 1) + self.pos_embed

    def enter(self, x: Tensor, masks: Masks | None = None) -> Tensor:
        """Return what the first block gets of ``x`` (batch, tokens, width).

        Masked residual channels are zero, and CLIP's norm is applied.
        """
        residual = masks.residual if masks is not None else None
        if residual is not None:
            x = x * residual[:, None, :]
        return _masked_norm(self.norm_pre, x, residual) if self.config.pre_norm else x

    def encode(
        self, x: Tensor, masks: Masks | None = None, first: int = 0, last: int | None = None
    ) -> Tensor:
        """Run blocks ``first`` to ``last`` (excluded; all by default) on (batch, tokens, width)."""
        chosen = masks or Masks()
        for index in range(first, len(self.blocks) if last is None else last):
            x = self.blocks[index](
                x, chosen.residual, chosen.attention.get(index), chosen.mlp.get(index)
            )
        return x

    def pool(self, x: Tensor, masks: Masks | None = None) -> Tensor:
        """Return the features (batch, feature tokens, width) that heads and fusion read."""
        residual = masks.residual if masks is not None else None
        config = self.config
        if config.pooling == "token":
            return _masked_norm(self.norm, x[:, : config.feature_tokens], residual)
        patches = x[:, config.prefix_tokens :]
        if config.pooling == "mean":
            return _masked_norm(self.norm, patches, residual).mean(1, keepdim=True)
        return _masked_norm(self.norm, patches.mean(1, keepdim=True), residual)

    def classify(self, features: Tensor) -> Tensor:
        """Return logits (batch, classes); a distilled model gives the mean of its two heads."""
        logits = self.head(features[:, 0])
        if self.config.distilled:
            logits = (logits + self.head_dist(features[:, 1])) / 2
        return logits  # type: ignore[no-any-return]

    def features(self, images: Tensor) -> Tensor:
        """Return (batch, feature tokens * width): what a part sends to the fusion."""
        return self.pool(self.encode(self.embed(images))).flatten(1)

    def forward(self, images: Tensor, masks: Masks | None = None) -> Tensor:
        """Return logits (batch, classes) of images (batch, channels, height, width)."""
        return self.classify(self.pool(self.encode(self.embed(images, masks), masks), masks))
