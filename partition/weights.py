"""Load public checkpoints of Vision Transformers: safetensors, nothing pickled."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from partition.config import Activation, ViTConfig
from partition.convert import Plain, read_description, to_plain
from partition.cost import vit_cost
from partition.errors import InputError
from partition.model import VisionTransformer
from partition.shape import HEADLESS, shape_of
from partition.store import load_tensors, save_tensors


def config_of(
    weights: Mapping[str, Tensor],
    *,
    heads: int | None = None,
    classes: int | None = None,
    activation: Activation | None = None,
    where: str = "the checkpoint",
) -> ViTConfig:
    """Return the shape of a model, read off its weights.

    Args:
        weights: weights by the names of timm, transformers or torchvision.
        heads: number of attention heads, which weights do not show; that of the public model of
            this shape by default.
        classes: outputs of a backbone without a head.
        activation: of the feed-forward layers, where the library does not say it.
        where: name of the weights in messages.

    Raises:
        InputError: a weight that every ViT has is missing, shapes contradict one another, heads or
            activation are not known, or it is another kind of model.
    """
    plain = to_plain(weights, where)
    return shape_of(plain, where, heads=heads, classes=classes, activation=activation)


def checkpoint_config(
    path: Path, *, heads: int | None, classes: int, activation: Activation | None = None
) -> ViTConfig:
    """Return the shape of a checkpoint's model: that of the file's header, or of its weights.

    Args:
        path: a file by another library, or by :func:`save_vit`.
        heads: number of attention heads; see :func:`config_of`.
        classes: outputs of a backbone without a head.
        activation: of the feed-forward layers, likewise.

    Raises:
        InputError: see :func:`load_vit`.
    """
    _, header = _read(path)
    if isinstance(header, ViTConfig):
        return header
    return shape_of(header, str(path), heads=heads, classes=classes, activation=activation)


def _read(path: Path) -> tuple[dict[str, Tensor], ViTConfig | Plain]:
    """Return the weights of a file by our names, and its shape, or else what they do not show."""
    weights, state = load_tensors(path)
    if (saved := state.get("config")) is not None:
        return weights, _header_shape(path, saved, weights)
    plain = to_plain(weights, str(path), read_description(path))
    return plain.weights, plain


def load_vit(
    path: Path,
    config: ViTConfig | None = None,
    *,
    heads: int | None = None,
    activation: Activation | None = None,
    new_head: int | None = None,
) -> VisionTransformer:
    """Return the model of a safetensors checkpoint.

    Args:
        path: a file by timm, transformers or torchvision (see :mod:`partition.convert`), or by
            :func:`save_vit`. A ``config.json`` beside it is read.
        config: its shape; by default the one in the file's header, or read off the weights. A
            config of another image size has the positions resized (bicubic, as timm does).
        heads: number of attention heads, where neither ``config`` nor the file's header says it and
            the shape is no public model's.
        activation: of the feed-forward layers, where ``config`` is not given and the library does
            not say it.
        new_head: seed of a head that is drawn where the classes differ or there is none; None makes
            that an error.

    Raises:
        InputError: the file is damaged, of another kind of model, or its heads are not known; or a
            weight is missing, unknown or of another shape; the message names the first of each.
    """
    weights, header = _read(path)
    if isinstance(header, ViTConfig):
        if config is not None and header.heads != config.heads:
            raise InputError(
                f"{path}: its header says {header.heads} heads, and {config.heads} were asked for"
            )
        config = config or header
    elif config is None:
        config = shape_of(header, str(path), heads=heads, activation=activation)
    else:
        _check_kind(path, weights, header, config)
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
        raise InputError(f"{path} {HEADLESS}")
    if "pos_embed" in weights and weights["pos_embed"].shape != wanted["pos_embed"].shape:
        weights["pos_embed"] = resize_positions(weights["pos_embed"], config)
    _check(path, weights, wanted)
    model.load_state_dict({name: weights[name].to(torch.float32) for name in wanted})
    return model.eval()


def _check_kind(path: Path, weights: Mapping[str, Tensor], plain: Plain, config: ViTConfig) -> None:
    """Refuse a shape of another kind of model than a checkpoint's.

    Sizes are compared weight by weight afterwards.
    """
    distilled = "dist_token" in weights
    if distilled != config.distilled:
        raise InputError(
            f"{path} is a {'distilled DeiT' if distilled else 'plain ViT'}: "
            f"set model.distilled: {str(distilled).lower()}"
        )
    registers = weights.get("reg_token")
    found = {
        "registers": 0 if registers is None else registers.shape[1],
        "class_token": "cls_token" in weights,
        "pre_norm": "norm_pre.weight" in weights,
        "pooling": plain.pooling,
        "activation": plain.activation or config.activation,
        "norm_epsilon": plain.norm_epsilon,
    }
    for name, there in found.items():
        if there != getattr(config, name):
            raise InputError(
                f"{path}: its model has {name} {there}, and {getattr(config, name)} was asked for; "
                "leave model.name out, or in Python the shape, to take the file's"
            )


def _header_shape(path: Path, saved: Any, weights: Mapping[str, Tensor]) -> ViTConfig:
    """Return the shape in a file's header, which must be that of its weights.

    What is made of it is then no larger than the file.
    """
    config = ViTConfig.from_dict(saved)
    asked, there = vit_cost(config).parameters, sum(one.numel() for one in weights.values())
    if asked != there:
        raise InputError(
            f"{path}: its header has another shape than its weights: it asks for {asked:,}, and "
            f"there are {there:,}; fetch or make it again"
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
    grid = round(max(0, positions.shape[1] - prefix) ** 0.5)
    if grid**2 + prefix != positions.shape[1] or positions.shape[2] != config.width:
        raise InputError(f"cannot resize positions of shape {tuple(positions.shape)}")
    square = positions[:, prefix:].reshape(1, grid, grid, -1).permute(0, 3, 1, 2)
    resized = functional.interpolate(square.float(), config.grid, mode="bicubic", antialias=True)
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
