"""A Vision Transformer written out in torch's functions, from parameters under timm's names."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional


def plain_vit(state: Mapping[str, Tensor], images: Tensor, heads: int) -> tuple[Tensor, Tensor]:
    """Return logits (batch, classes) and attention (depth, batch, heads, tokens, tokens)."""
    patch = state["patch_embed.proj.weight"]
    width, depth = patch.shape[0], len([n for n in state if n.endswith("norm1.weight")])
    batch = len(images)

    def linear(x: Tensor, name: str) -> Tensor:
        return functional.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])

    def norm(x: Tensor, name: str) -> Tensor:
        named = state[f"{name}.weight"], state[f"{name}.bias"]
        return functional.layer_norm(x, (width,), *named, eps=1e-6)

    cut = functional.unfold(images, patch.shape[-1], stride=patch.shape[-1]).transpose(1, 2)
    x = functional.linear(cut, patch.flatten(1), state["patch_embed.proj.bias"])
    x = torch.cat([state["cls_token"].expand(batch, 1, width), x], 1) + state["pos_embed"]
    seen = []
    for block in (f"blocks.{index}" for index in range(depth)):
        mixed = linear(norm(x, f"{block}.norm1"), f"{block}.attn.qkv")
        q, k, v = (
            part.unflatten(2, (heads, width // heads)).transpose(1, 2)
            for part in mixed.split(width, 2)
        )
        seen.append((q @ k.mT / (width / heads) ** 0.5).softmax(3))
        attended = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + linear(attended, f"{block}.attn.proj")
        hidden = functional.gelu(linear(norm(x, f"{block}.norm2"), f"{block}.mlp.fc1"))
        x = x + linear(hidden, f"{block}.mlp.fc2")
    return linear(norm(x[:, 0], "norm"), "head"), torch.stack(seen)
