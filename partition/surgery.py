"""Cut units out of a Vision Transformer: the result is a smaller plain one with the same logits.

"The same" as masking those units: a removed unit's activation is zero wherever it is used, and
norms run over the channels that stay. :func:`cut` takes the most important units of a stage, as
ED-ViT prunes a part to a shape in three stages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from partition.config import ViTConfig
from partition.errors import InputError
from partition.model import VisionTransformer
from partition.recipe import Stage

PRUNED_FIELDS: Mapping[Stage, tuple[str, ...]] = {
    "residual": ("width",),
    "attention": ("heads", "head_width"),
    "mlp": ("mlp_width",),
}
"""Fields of the shape that a stage makes smaller."""

Model = TypeVar("Model", bound=nn.Module)


def keep_residual(model: VisionTransformer, kept: Sequence[int]) -> VisionTransformer:
    """Return the model with only the residual channels ``kept``, in that order.

    A channel goes from the patch embedding, the tokens, the positions, every norm, the inputs of
    qkv, fc1 and the heads, and the outputs of proj and fc2.

    Raises:
        InputError: nothing is kept, or a channel is unknown or named twice.
    """
    chosen = _indices(kept, model.config.width, "residual channels")
    weights = dict(model.state_dict())
    for name, value in weights.items():
        if (
            "norm" in name
            or name.startswith("patch_embed.proj")
            or name.endswith(
                ("attn.proj.weight", "attn.proj.bias", "mlp.fc2.weight", "mlp.fc2.bias")
            )
        ):
            weights[name] = value[chosen]
        elif name in ("cls_token", "dist_token", "reg_token", "pos_embed") or name.endswith(
            ("attn.qkv.weight", "mlp.fc1.weight", "head.weight", "head_dist.weight")
        ):
            weights[name] = value[..., chosen]
    return _rebuilt(model, weights, width=len(chosen))


def keep_attention(
    model: VisionTransformer, kept: Sequence[Sequence[Sequence[int]]]
) -> VisionTransformer:
    """Return the model with only some attention dimensions: ``kept[block][head]``.

    A head with none is removed; in every block the same number of heads must stay, all with the
    same number of dimensions, so that the result is a plain model. The softmax divides by √d of
    the new head width d', so the query rows are multiplied by √(d' / d): the products stay as they
    were.

    Raises:
        InputError: heads would differ in size, or a dimension is unknown or named twice.
    """
    config = model.config
    shapes = {tuple(sorted(len(head) for head in block if head)) for block in kept}
    sizes = {size for shape in shapes for size in shape}
    if len(kept) != config.depth or len(shapes) != 1 or len(sizes) != 1:
        raise InputError(
            "attention must keep the same number of heads, all of one width, in every block; "
            f"asked for {sorted(shapes)}"
        )
    (size,) = sizes
    weights = dict(model.state_dict())
    factor = (size / config.head_width) ** 0.5
    for block, heads in enumerate(kept):
        rows = torch.cat([
            _indices(head, config.head_width, "head dimensions") + index * config.head_width
            for index, head in enumerate(heads) if head
        ])  # fmt: skip
        prefix = f"blocks.{block}.attn."
        three = torch.cat([rows + part * config.attention_width for part in range(3)])
        for kind in ("weight", "bias"):
            cut = weights[f"{prefix}qkv.{kind}"][three].clone()
            cut[: len(rows)] *= factor
            weights[f"{prefix}qkv.{kind}"] = cut
        weights[f"{prefix}proj.weight"] = weights[f"{prefix}proj.weight"][:, rows]
    count = len(next(iter(shapes)))
    return _rebuilt(model, weights, heads=count, head_width=size)


def keep_mlp(model: VisionTransformer, kept: Sequence[Sequence[int]]) -> VisionTransformer:
    """Return the model with only the feed-forward neurons ``kept[block]``, as many in every block.

    Raises:
        InputError: blocks would differ, or a neuron is unknown or named twice.
    """
    config = model.config
    if len(kept) != config.depth or len({len(block) for block in kept}) != 1:
        raise InputError("every block must keep the same number of feed-forward neurons")
    weights = dict(model.state_dict())
    for block, neurons in enumerate(kept):
        chosen = _indices(neurons, config.mlp_width, "feed-forward neurons")
        prefix = f"blocks.{block}.mlp."
        for name in ("fc1.weight", "fc1.bias"):
            weights[prefix + name] = weights[prefix + name][chosen]
        weights[f"{prefix}fc2.weight"] = weights[f"{prefix}fc2.weight"][:, chosen]
    return _rebuilt(model, weights, mlp_width=len(kept[0]))


def keep_outputs(
    model: VisionTransformer, classes: Sequence[int], other: bool
) -> VisionTransformer:
    """Return the model with the outputs of ``classes``, and with ``other`` one for all the rest.

    Raises:
        InputError: a class is unknown or named twice, or "other" would have no class.
    """
    chosen = _indices(classes, model.config.classes, "classes")
    if other and len(chosen) == model.config.classes:
        raise InputError("a part with every class has no other")
    weights = dict(model.state_dict())
    for name in ("head", "head_dist"):
        if f"{name}.weight" in weights:
            keep_rows(weights, name, classes, other)
    return _rebuilt(model, weights, classes=len(chosen) + other)


def keep_rows(weights: dict[str, Tensor], head: str, classes: Sequence[int], other: bool) -> None:
    """Leave a linear head the rows of ``classes``, and with ``other`` one for all the rest.

    The row of "other" is the mean of the foreign rows, its bias raised by the logarithm of how
    many they are: where foreign logits are equal, that is the logarithm of their summed
    exponentials, and otherwise it is less (Jensen). Fine-tuning does the rest.
    """
    weight, bias = weights[f"{head}.weight"], weights[f"{head}.bias"]
    rows, shifts = [weight[list(classes)]], [bias[list(classes)]]
    if other:
        foreign = [label for label in range(len(weight)) if label not in set(classes)]
        rows.append(weight[foreign].mean(0, keepdim=True))
        shifts.append(bias[foreign].mean(0, keepdim=True) + torch.tensor(len(foreign)).log())
    weights[f"{head}.weight"], weights[f"{head}.bias"] = torch.cat(rows), torch.cat(shifts)


def _indices(kept: Sequence[int], size: int, what: str) -> Tensor:
    """Return ``kept`` as a tensor once it is seen to be a choice out of ``size``."""
    if not len(kept) or len(set(kept)) != len(kept) or min(kept) < 0 or max(kept) >= size:
        raise InputError(
            f"{what} to keep must be at least one of 0 to {size - 1}, each once; asked for "
            f"{len(kept)}"
        )
    return torch.tensor(list(kept))


def _rebuilt(
    model: VisionTransformer, weights: Mapping[str, Tensor], **changes: int
) -> VisionTransformer:
    """Return a model of the changed shape with copies of ``weights``."""
    smaller = with_weights(VisionTransformer(model.config.with_(**changes)), weights)
    return smaller.train(model.training)


def with_weights(model: Model, weights: Mapping[str, Tensor]) -> Model:
    """Return the model once it has copies of ``weights``."""
    model.load_state_dict(weights)
    return model


def check_target(config: ViTConfig, target: ViTConfig) -> None:
    """Refuse a target that pruning cannot reach.

    Raises:
        InputError: the target is larger in a dimension, or differs where pruning changes nothing.
    """
    for name in (field for fields in PRUNED_FIELDS.values() for field in fields):
        if getattr(target, name) > getattr(config, name):
            raise InputError(
                f"pruning cannot raise {name} from {getattr(config, name)} to "
                f"{getattr(target, name)}"
            )
    pruned = {field for fields in PRUNED_FIELDS.values() for field in fields}
    for name in sorted(set(ViTConfig.__dataclass_fields__) - pruned - {"classes"}):
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
        model: model to prune.
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
