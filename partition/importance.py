"""Importance of each unit to a part: by KL divergence, Taylor expansion, size, or chance.

Units of a stage form a matrix (layers, units): one row for the residual channels, which run through
the whole model, and one row a block for attention dimensions (heads x head width) and feed-forward
neurons.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from partition.errors import InputError
from partition.model import Masks, VisionTransformer
from partition.recipe import MEASURES, Stage

ReportShare = Callable[[float], None]
"""Called with the share that is done, 0 to 1."""


def _ignore(done: float) -> None:
    """Report nothing."""


BATCH_TOKENS = 60_000
"""Tokens that a batched KL evaluation holds at once, which bounds its memory."""


def unit_shape(model: VisionTransformer, stage: Stage) -> tuple[int, int]:
    """Return (layers, units of a layer) of a stage."""
    config = model.config
    if stage == "residual":
        return 1, config.width
    if stage == "attention":
        return config.depth, config.attention_width
    return config.depth, config.mlp_width


def unit_masks(model: VisionTransformer, stage: Stage, layer: int, factors: Tensor) -> Masks:
    """Return the masks of a stage from factors (batch, units) of one layer."""
    if stage == "residual":
        return Masks(residual=factors)
    if stage == "attention":
        config = model.config
        return Masks(attention={layer: factors.view(-1, config.heads, config.head_width)})
    return Masks(mlp={layer: factors})


@torch.no_grad()
def kl_importance(
    model: VisionTransformer, inputs: Tensor, stage: Stage, report: ReportShare = _ignore
) -> Tensor:
    """Return (layers, units): Σ over images of KL(softmax(z) ‖ softmax(z without the unit)).

    UP-ViT's definition (arXiv 2111.15127). Each unit is masked in place on its own copy of the
    images, and many copies go through the model as one batch; what comes before the unit's block
    is computed once. Still it takes a forward pass for every unit and image, which a GPU can do for
    ViT-S (23,000 units) and nothing here for ViT-B: there, take the Taylor expansion.

    Args:
        model: model in evaluation mode.
        inputs: (images, channels, height, width) of the part's own data.
        stage: which units.
        report: called after every batch with the share that is done, 0 to 1.
    """
    count = len(inputs)
    layers, units = unit_shape(model, stage)
    original = functional.log_softmax(model(inputs), -1)
    x = model.add_tokens(model.patch_embed(inputs))
    at_once = max(1, BATCH_TOKENS // (count * model.config.tokens))
    scores = torch.zeros(layers, units, dtype=torch.float64)
    for layer in range(layers):
        for start in range(0, units, at_once):
            removed = torch.arange(start, min(start + at_once, units))
            factors = torch.ones(len(removed), units, device=x.device)
            factors[torch.arange(len(removed)), removed] = 0.0
            masks = unit_masks(model, stage, layer, factors.repeat_interleave(count, 0))
            copies = model.mask_residual(x.repeat(len(removed), 1, 1), masks)
            encoded = model.encode(copies, masks, first=layer)
            logits = model.classify(model.pool(encoded, masks))
            without = functional.log_softmax(logits, -1).view(len(removed), count, -1)
            divergence = (original.exp() * (original - without)).sum(-1)
            scores[layer, removed] = divergence.double().sum(-1).cpu()
            report((layer * units + int(removed[-1]) + 1) / (layers * units))
        if stage != "residual":
            x = model.encode(x, first=layer, last=layer + 1)
    return scores


def taylor_importance(
    model: VisionTransformer, inputs: Tensor, targets: Tensor, stage: Stage
) -> Tensor:
    """Return (layers, units): Σ over images of (∂loss/∂m)² at m = 1, m the unit's mask.

    The first-order change of the loss when the unit goes, squared (Molchanov et al. 2019); one
    backward pass serves every unit of every layer.

    Args:
        model: model in evaluation mode.
        inputs: (images, channels, height, width) of the part's own data.
        targets: (images, outputs) probabilities; the loss is their cross-entropy.
        stage: which units.
    """
    layers, units = unit_shape(model, stage)
    factors = [
        torch.ones(len(inputs), units, device=inputs.device, requires_grad=True)
        for _ in range(layers)
    ]
    parts = [unit_masks(model, stage, layer, factors[layer]) for layer in range(layers)]
    masks = Masks(
        residual=parts[0].residual,
        attention={layer: mask for part in parts for layer, mask in part.attention.items()},
        mlp={layer: mask for part in parts for layer, mask in part.mlp.items()},
    )
    logits = model(inputs, masks)
    loss = -(targets * functional.log_softmax(logits, -1)).sum()
    gradients = torch.autograd.grad(loss, factors)
    return torch.stack([gradient.double().square().sum(0).cpu() for gradient in gradients])


@torch.no_grad()
def magnitude_importance(model: VisionTransformer, stage: Stage) -> Tensor:
    """Return (layers, units): the Euclidean norm of all weights that would go with the unit.

    A control that does not use the data.
    """
    layers, units = unit_shape(model, stage)
    weights = {name: value.cpu().double().square() for name, value in model.state_dict().items()}
    squares = torch.zeros(layers, units, dtype=torch.float64)
    for block in range(model.config.depth):
        attn, mlp = f"blocks.{block}.attn.", f"blocks.{block}.mlp."
        if stage == "attention":
            squares[block] += weights[f"{attn}qkv.weight"].sum(1).view(3, units).sum(0)
            squares[block] += weights[f"{attn}qkv.bias"].view(3, units).sum(0)
            squares[block] += weights[f"{attn}proj.weight"].sum(0)
        elif stage == "mlp":
            squares[block] += weights[f"{mlp}fc1.weight"].sum(1) + weights[f"{mlp}fc1.bias"]
            squares[block] += weights[f"{mlp}fc2.weight"].sum(0)
        else:
            for name in (f"{attn}qkv.weight", f"{mlp}fc1.weight"):
                squares[0] += weights[name].sum(0)
            for name in (f"{attn}proj", f"{mlp}fc2"):
                squares[0] += weights[f"{name}.weight"].sum(1) + weights[f"{name}.bias"]
    if stage == "residual":
        patches = weights["patch_embed.proj.weight"].flatten(1).sum(1)
        squares[0] += patches + weights["patch_embed.proj.bias"]
        squares[0] += weights["pos_embed"].sum((0, 1)) + weights["head.weight"].sum(0)
    return squares.sqrt()


def random_importance(model: VisionTransformer, stage: Stage, generator: torch.Generator) -> Tensor:
    """Return (layers, units) of draws from ``generator``: the control for every measure."""
    return torch.rand(unit_shape(model, stage), generator=generator, dtype=torch.float64)


def importance(
    model: VisionTransformer,
    inputs: Tensor,
    targets: Tensor,
    stage: Stage,
    measure: str,
    generator: torch.Generator,
    report: ReportShare = _ignore,
) -> Tensor:
    """Return (layers, units) by the named measure; see the functions of this file.

    Raises:
        InputError: the measure is unknown.
    """
    measures: dict[str, Callable[[], Tensor]] = {
        "kl": lambda: kl_importance(model, inputs, stage, report),
        "taylor": lambda: taylor_importance(model, inputs, targets, stage),
        "magnitude": lambda: magnitude_importance(model, stage),
        "random": lambda: random_importance(model, stage, generator),
    }
    if measure not in measures:
        raise InputError(f"importance must be one of {', '.join(MEASURES)}, not '{measure}'")
    return measures[measure]()
