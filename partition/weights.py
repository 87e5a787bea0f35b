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


PUBLIC_HEADS: Mapping[tuple[int, int, int], int] = {
    (192, 12, 768): 3,
    (256, 14, 1280): 4,
    (320, 14, 1792): 5,
    (384, 12, 1536): 6,
    (512, 12, 2048): 8,
    (512, 20, 2048): 8,
    (640, 12, 2560): 10,
    (768, 12, 3072): 12,
    (1024, 24, 4096): 16,
    (1152, 27, 4304): 16,
    (1280, 32, 5120): 16,
    (1408, 40, 6144): 16,
    (1664, 48, 8192): 16,
}
"""Heads of public ViT and DeiT shapes by (width, depth, feed-forward width), as timm builds them:
Ti, wee, little, S, medium, medium-d, betwixt, B, L, SO400M, H, g, G."""

_OTHER_KINDS = {
    "reg_token": "register tokens (DINOv2 and later); take a checkpoint without registers",
    "blocks.0.ls1.gamma": "LayerScale (DeiT III, CaiT, DINOv2); take a checkpoint without it",
    "norm_pre.weight": "a norm before its blocks (CLIP); take a ViT or DeiT",
    "attn_pool.latent": "attention pooling (SigLIP); take a checkpoint with a class token",
    "fc_norm.weight": "average pooling; take a checkpoint with a class token",
}
"""By a weight that only they have: models that are not plain ViTs, and what to do."""


def _refuse_other_kinds(weights: Mapping[str, Tensor], where: str) -> None:
    for key, what in _OTHER_KINDS.items():
        if key in weights:
            raise InputError(f"{where}: it is no plain ViT: {key} belongs to {what}")


def config_of(
    weights: Mapping[str, Tensor],
    *,
    heads: int | None = None,
    classes: int | None = None,
    where: str = "the checkpoint",
) -> ViTConfig:
    """Return the shape of a model, read off its weights.

    Args:
        weights: weights by timm's names.
        heads: number of attention heads, which weights do not show; that of the public model of
            this shape by default.
        classes: outputs of a backbone without a head.
        where: name of the weights in messages.

    Raises:
        InputError: a weight that every ViT has is missing, shapes contradict one another, the heads
            are neither given nor those of a public model, or it is another kind of model.
    """
    _refuse_other_kinds(weights, where)
    for key, axes in _AXES.items():
        if key in weights and weights[key].dim() != axes:
            raise InputError(f"not a ViT with timm's names: {key} has {weights[key].dim()} axes")
    try:
        width, before, patch, _ = weights["patch_embed.proj.weight"].shape
        qkv = weights["blocks.0.attn.qkv.weight"].shape[0]
        hidden = weights["blocks.0.mlp.fc1.weight"].shape[0]
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
    if grid**2 + 1 + distilled != positions:
        raise InputError(f"{where}: {positions} positions fit no square image")
    if "head.weight" in weights:
        classes = weights["head.weight"].shape[0]
    if classes is None:
        raise InputError(f"{where} {_HEADLESS}")
    if heads is None and qkv == 3 * width:
        heads = PUBLIC_HEADS.get((width, len(blocks), hidden))
    if heads is None:
        raise InputError(
            f"{where}: its weights do not show how many heads it has, and no public model has "
            f"width {width}, depth {len(blocks)} and feed-forward width {hidden}; "
            "set the number: model.heads of a recipe, heads=… in Python"
        )
    if qkv % (3 * heads):
        raise InputError(
            f"{where}: {qkv} query, key and value rows cannot be those of {heads} heads"
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
        heads=heads,
        head_width=qkv // 3 // heads,
        mlp_width=hidden,
        classes=classes,
        stem=tuple(stem),
        distilled=distilled,
    )


_HEADLESS = (
    "is a backbone without a head; draw one: model.checkpoint of a recipe does, in Python give the "
    "shape and new_head=SEED"
)


def checkpoint_config(path: Path, *, heads: int | None, classes: int) -> ViTConfig:
    """Return the shape of a checkpoint's model: that of the file's header, or of its weights.

    Args:
        path: a file by timm, or by :func:`save_vit`.
        heads: number of attention heads; see :func:`config_of`.
        classes: outputs of a backbone without a head.

    Raises:
        InputError: see :func:`load_vit`.
    """
    weights, state = load_tensors(path)
    if (saved := state.get("config")) is not None:
        return _header_shape(path, saved, weights)
    return config_of(weights, heads=heads, classes=classes, where=str(path))


def load_vit(
    path: Path,
    config: ViTConfig | None = None,
    *,
    heads: int | None = None,
    new_head: int | None = None,
) -> VisionTransformer:
    """Return the model of a safetensors checkpoint.

    Args:
        path: a file by timm, or by :func:`save_vit`.
        config: its shape; by default the one in the file's header, or read off the weights. A
            config of another image size has the positions resized (bicubic, as timm does).
        heads: number of attention heads, where neither ``config`` nor the file's header says it and
            the shape is no public model's.
        new_head: seed of a head that is drawn where the classes differ or there is none; None makes
            that an error.

    Raises:
        InputError: the file is damaged, of another kind of model, or its heads are not known; or a
            weight is missing, unknown or of another shape; the message names the first of each.
    """
    weights, state = load_tensors(path)
    _refuse_other_kinds(weights, str(path))
    saved = state.get("config")
    header = None if saved is None else _header_shape(path, saved, weights)
    if config is None:
        config = header or config_of(weights, heads=heads, where=str(path))
    elif header is not None and header.heads != config.heads:
        raise InputError(
            f"{path}: its header says {header.heads} heads, and {config.heads} were asked for"
        )
    generator = None if new_head is None else torch.Generator().manual_seed(new_head)
    model = VisionTransformer(config, generator)
    wanted = model.state_dict()
    if new_head is not None:
        for name in ("head", "head_dist"):
            for kind in ("weight", "bias"):
                key = f"{name}.{kind}"
                if key in wanted and (
                    key not in weights or weights[key].shape != wanted[key].shape
                ):
                    weights[key] = wanted[key]
    elif "head.weight" not in weights:
        raise InputError(f"{path} {_HEADLESS}")
    if ("dist_token" in weights) != config.distilled:
        raise InputError(
            f"{path} is a {'distilled DeiT' if 'dist_token' in weights else 'plain ViT'}: "
            f"set model.distilled: {str('dist_token' in weights).lower()}"
        )
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
    found = config_of(weights, heads=config.heads, where=str(path))
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
