"""Prune a part to a shape in ED-ViT's three stages: choose by importance, then cut."""

from __future__ import annotations

import torch
from torch import Tensor

from partition.config import ViTConfig
from partition.errors import InputError
from partition.model import VisionTransformer
from partition.recipe import Stage
from partition.surgery import keep_attention, keep_mlp, keep_residual


def check_target(config: ViTConfig, target: ViTConfig) -> None:
    """Refuse a target that pruning cannot reach.

    Raises:
        InputError: the target is larger in a dimension, or differs where pruning changes nothing.
    """
    for name in ("width", "heads", "head_width", "mlp_width"):
        if getattr(target, name) > getattr(config, name):
            raise InputError(
                f"pruning cannot raise {name} from {getattr(config, name)} to "
                f"{getattr(target, name)}"
            )
    for name in ("image", "channels", "patch", "depth", "stem", "distilled"):
        if getattr(target, name) != getattr(config, name):
            raise InputError(
                f"pruning cannot change {name} from {getattr(config, name)} to "
                f"{getattr(target, name)}"
            )


def cut(
    model: VisionTransformer, stage: Stage, scores: Tensor, target: ViTConfig
) -> VisionTransformer:
    """Return the model with the most important units of one stage, as many as ``target`` has.

    Args:
        model: what to prune.
        stage: which units go.
        scores: (layers, units) importance.
        target: the shape to reach in this stage; the other stages' sizes are not looked at.
    """
    if stage == "residual":
        return keep_residual(model, top(scores[0], target.width))
    if stage == "mlp":
        return keep_mlp(model, [top(layer, target.mlp_width) for layer in scores])
    kept = [_heads(layer, model.config, target) for layer in scores]
    return keep_attention(model, kept)


def top(scores: Tensor, count: int) -> list[int]:
    """Return the places of the ``count`` highest scores in rising order; equals go to the first."""
    order = torch.sort(scores, descending=True, stable=True).indices
    return sorted(order[:count].tolist())


def _heads(scores: Tensor, config: ViTConfig, target: ViTConfig) -> list[list[int]]:
    """Choose whole heads by their sum, then equally many dimensions of every head that stays."""
    by_head = scores.view(config.heads, config.head_width)
    staying = set(top(by_head.sum(1), target.heads))
    return [
        top(by_head[head], target.head_width) if head in staying else []
        for head in range(config.heads)
    ]
