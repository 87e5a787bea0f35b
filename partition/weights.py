"""Load public ViT and DeiT checkpoints: safetensors with timm's names, nothing pickled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from partition.config import ViTConfig
from partition.errors import InputError
from partition.model import VisionTransformer
from partition.store import load_tensors, save_tensors

_AXES = {
    "patch_embed.proj.weight": 4,
    "blocks.0.attn.qkv.weight": 2,
    "blocks.0.mlp.fc1.weight": 2,
    "head.weight": 2,
    "pos_embed": 3,
}
"""Number of axes of the weights from which a model's shape is read."""


def config_of(weights: Mapping[str, Tensor], head_width: int = 64) -> ViTConfig:
    """Read a model's shape off its weights.

    The head width is not to be seen in the weights; it is 64 in every public ViT and DeiT.

    Args:
        weights: weights by timm's names.
        head_width: dimensions of one head.

    Raises:
        InputError: a weight that every ViT has is missing, or shapes contradict one another.
    """
    for key, axes in _AXES.items():
        if key in weights and weights[key].dim() != axes:
            raise InputError(f"not a ViT with timm's names: {key} has {weights[key].dim()} axes")
    try:
        width, before, patch, _ = weights["patch_embed.proj.weight"].shape
        qkv = weights["blocks.0.attn.qkv.weight"].shape[0]
        hidden = weights["blocks.0.mlp.fc1.weight"].shape[0]
        classes = weights["head.weight"].shape[0]
        positions = weights["pos_embed"].shape[1]
    except KeyError as error:
        raise InputError(f"not a ViT with timm's names: {error} is missing") from error
    stem: list[int] = []
    while (key := f"patch_embed.backbone.{len(stem)}.weight") in weights:
        stem.append(weights[key].shape[0])
    channels = weights["patch_embed.backbone.0.weight"].shape[1] if stem else before
    blocks = {int(found[1]) for key in weights if (found := re.match(r"blocks\.(\d+)\.", key))}
    if blocks != set(range(len(blocks))) or not blocks:
        raise InputError("not a ViT with timm's names: its blocks are not numbered from 0 on")
    distilled = "dist_token" in weights
    grid = round((positions - 1 - distilled) ** 0.5)
    if grid**2 + 1 + distilled != positions or qkv % (3 * head_width):
        raise InputError(
            f"{positions} positions and {qkv} query, key and value rows fit no square image with "
            f"heads of {head_width}; name the shape of the model"
        )
    heavy = len(blocks) * width * (qkv // 3 * 4 + 2 * hidden)
    there = sum(one.numel() for one in weights.values())
    if heavy > there:
        raise InputError(
            f"its shapes ask for {heavy:,} weights in blocks, and it holds {there:,}: it is "
            "truncated, or none of timm's"
        )
    return ViTConfig(
        image=grid * patch << len(stem),
        channels=channels,
        patch=patch,
        width=width,
        depth=max(blocks) + 1,
        heads=qkv // 3 // head_width,
        head_width=head_width,
        mlp_width=hidden,
        classes=classes,
        stem=tuple(stem),
        distilled=distilled,
    )


def load_vit(
    path: Path, config: ViTConfig | None = None, *, new_head: int | None = None
) -> VisionTransformer:
    """Return the model of a safetensors checkpoint.

    Args:
        path: a file by timm, or by :func:`save_vit`.
        config: its shape; by default the one in the file's header, or read off the weights. A
            config of another image size has the positions resized (bicubic, as timm does).
        new_head: draw a head for so many classes from this seed where the classes differ; None
            makes that an error.

    Raises:
        InputError: the file is damaged, or a weight is missing, unknown or of another shape; the
            message names the first of each.
    """
    weights, state = load_tensors(path)
    if config is None:
        saved = state.get("config")
        config = config_of(weights) if saved is None else _header_shape(path, saved, weights)
    generator = None if new_head is None else torch.Generator().manual_seed(new_head)
    model = VisionTransformer(config, generator)
    wanted = model.state_dict()
    if new_head is not None:
        for name in ("head", "head_dist"):
            for kind in ("weight", "bias"):
                key = f"{name}.{kind}"
                if key in wanted and weights.get(key, wanted[key]).shape != wanted[key].shape:
                    weights[key] = wanted[key]
    if "pos_embed" in weights and weights["pos_embed"].shape != wanted["pos_embed"].shape:
        weights["pos_embed"] = resize_positions(weights["pos_embed"], config)
    _check(path, weights, wanted)
    model.load_state_dict({name: weights[name].to(torch.float32) for name in wanted})
    return model.eval()


def _header_shape(path: Path, saved: Any, weights: Mapping[str, Tensor]) -> ViTConfig:
    """Return the shape in a file's header, which must be that of its weights.

    What is made of it is then no larger than the file.
    """
    config = ViTConfig.from_dict(saved)
    found = config_of(weights, config.head_width)
    if config != found:
        raise InputError(
            f"{path}: its header has another shape than its weights, {config} and {found}; "
            "fetch or make it again"
        )
    return config


def save_vit(path: Path, model: VisionTransformer, state: Mapping[str, Any] | None = None) -> None:
    """Write a model with its shape in the file's header, atomically."""
    save_tensors(path, model.state_dict(), {"config": model.config.to_dict(), **(state or {})})


def resize_positions(positions: Tensor, config: ViTConfig) -> Tensor:
    """Return (1, tokens, width) positions for another image size; prefix tokens keep theirs.

    Raises:
        InputError: the positions are not those of a square grid, or of another width.
    """
    prefix = config.prefix_tokens
    grid = round((positions.shape[1] - prefix) ** 0.5)
    if grid**2 + prefix != positions.shape[1] or positions.shape[2] != config.width:
        raise InputError(f"cannot resize positions of shape {tuple(positions.shape)}")
    square = positions[:, prefix:].reshape(1, grid, grid, -1).permute(0, 3, 1, 2)
    resized = functional.interpolate(
        square.float(), (config.grid, config.grid), mode="bicubic", antialias=True
    )
    return torch.cat((positions[:, :prefix], resized.permute(0, 2, 3, 1).flatten(1, 2)), 1)


def _check(path: Path, weights: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Compare names and shapes, and name the first difference of each kind."""
    problems = []
    missing = sorted(set(wanted) - set(weights))
    unknown = sorted(set(weights) - set(wanted))
    if missing:
        problems.append(f"{len(missing)} weights are missing, the first {missing[0]}")
    if unknown:
        problems.append(f"{len(unknown)} weights are unknown, the first {unknown[0]}")
    for name in sorted(set(wanted) & set(weights)):
        if weights[name].shape != wanted[name].shape:
            got, expected = tuple(weights[name].shape), tuple(wanted[name].shape)
            problems.append(f"{name} has shape {got} where the model has {expected}")
            break
    if problems:
        raise InputError(f"{path} does not fit the model: {'; '.join(problems)}")
