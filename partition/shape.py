"""The shape of a plain Vision Transformer, read off its weights."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from partition.config import Activation, ViTConfig
from partition.convert import Plain
from partition.errors import InputError

_NO_VIT = "not a ViT with the names of timm, transformers or torchvision"
_AXES = {
    "patch_embed.proj.weight": 4,
    "blocks.0.attn.qkv.weight": 2,
    "blocks.0.mlp.fc1.weight": 2,
    "head.weight": 2,
    "pos_embed": 3,
    "reg_token": 3,
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

HEADLESS = (
    "is a backbone without a head; draw one: model.checkpoint of a recipe does, in Python give the "
    "shape and new_head=SEED"
)


def shape_of(
    plain: Plain,
    where: str,
    *,
    heads: int | None = None,
    classes: int | None = None,
    activation: Activation | None = None,
) -> ViTConfig:
    """Return the shape of a model.

    Args:
        plain: its weights.
        where: name of the weights in messages.
        heads: number of attention heads; by default what its library says, or that of the public
            model of this shape.
        classes: outputs of a backbone without a head.
        activation: of its feed-forward layers, where its library does not say it.

    Raises:
        InputError: a weight that every ViT has is missing, shapes contradict one another, or heads
            or activation are not known.
    """
    weights = plain.weights
    for key, axes in _AXES.items():
        if key in weights and weights[key].dim() != axes:
            raise InputError(f"{where}: {_NO_VIT}: {key} has {weights[key].dim()} axes")
    try:
        width, before, patch, _ = weights["patch_embed.proj.weight"].shape
        qkv = weights["blocks.0.attn.qkv.weight"].shape[0]
        hidden = weights["blocks.0.mlp.fc1.weight"].shape[0]
        positions = weights["pos_embed"].shape[1]
    except KeyError as error:
        raise InputError(f"{where}: {_NO_VIT}: {error} is missing") from error
    stem: list[int] = []
    while (key := f"patch_embed.backbone.{len(stem)}.weight") in weights:
        stem.append(weights[key].shape[0])
    channels = weights["patch_embed.backbone.0.weight"].shape[1] if stem else before
    depth = _depth(weights, where)
    if "head.weight" in weights:
        classes = weights["head.weight"].shape[0]
    if classes is None:
        reason = f", as {plain.headless}" if plain.headless else ""
        raise InputError(f"{where} {HEADLESS}{reason}")
    heads = _heads(heads or plain.heads, (width, depth, hidden), qkv, where)
    heavy = depth * width * (qkv // 3 * 4 + 2 * hidden)
    there = sum(one.numel() for one in weights.values())
    if heavy > there:
        raise InputError(
            f"its shapes ask for {heavy:,} weights in blocks, and it holds {there:,}: it is "
            "truncated, or no ViT"
        )
    distilled, class_token = "dist_token" in weights, "cls_token" in weights
    registers = weights["reg_token"].shape[1] if "reg_token" in weights else 0
    patches = positions - class_token - distilled - registers
    grid = round(max(0, patches) ** 0.5)
    if patches < 1 or grid**2 != patches:
        raise InputError(f"{where}: {positions} positions fit no square image")
    return ViTConfig(
        image=grid * patch << len(stem),
        channels=channels,
        patch=patch,
        width=width,
        depth=depth,
        heads=heads,
        head_width=qkv // 3 // heads,
        mlp_width=hidden,
        classes=classes,
        stem=tuple(stem),
        distilled=distilled,
        registers=registers,
        class_token=class_token,
        pooling=plain.pooling,
        pre_norm="norm_pre.weight" in weights,
        activation=_activation(plain.activation, activation, where),
        norm_epsilon=plain.norm_epsilon,
    )


def _depth(weights: Mapping[str, Tensor], where: str) -> int:
    blocks = {int(found[1]) for key in weights if (found := re.match(r"blocks\.(\d+)\.", key))}
    if blocks != set(range(len(blocks))) or not blocks:
        raise InputError(f"{where}: {_NO_VIT}: its blocks are not numbered from 0 on")
    return len(blocks)


def _heads(heads: int | None, shape: tuple[int, int, int], qkv: int, where: str) -> int:
    width, depth, hidden = shape
    if heads is None and qkv == 3 * width:
        heads = PUBLIC_HEADS.get(shape)
    if heads is None:
        raise InputError(
            f"{where}: its weights do not show how many heads it has, and no public model has "
            f"width {width}, depth {depth} and feed-forward width {hidden}; "
            "set the number: model.heads of a recipe, heads=… in Python"
        )
    if qkv % (3 * heads):
        raise InputError(
            f"{where}: {qkv} query, key and value rows cannot be those of {heads} heads"
        )
    return heads


def _activation(known: Activation | None, given: Activation | None, where: str) -> Activation:
    """Return the activation that is given, or else known: it is never guessed."""
    if found := given or known:
        return found
    raise InputError(
        f"{where}: its weights do not show its activation, which differs between models of its "
        "kind; put the config.json of the model beside it, or set model.activation of a recipe "
        "(activation=… in Python): gelu, gelu-tanh or quick-gelu (OpenAI's CLIP)"
    )
