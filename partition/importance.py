"""Importance of each unit to a part: by KL divergence, Taylor expansion, size, or chance.

Units of a stage form a matrix (layers, units): one row for the residual channels, which run through
the whole model, and one row a block for attention dimensions (heads x head width) and feed-forward
neurons.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from partition.errors import InputError
from partition.model import Masks, VisionTransformer
from partition.recipe import MEASURES, Stage

ReportShare = Callable[[float], None]
"""Called with a number: the share that is done, 0 to 1, or seconds."""


def _ignore(done: float) -> None:
    """Report nothing."""


BATCH_TOKENS = 60_000
"""Most tokens of a batch of masked copies."""
MOST_VALUES = 64 << 20
"""Most values of the widest activation of such a batch, 256 MiB: it bounds the memory."""
EXACT_SHARE = 0.02
"""Share of the units whose KL divergence ``taylor-kl`` computes."""


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


def kl_importance(
    model: VisionTransformer,
    inputs: Tensor,
    stage: Stage,
    report: ReportShare = _ignore,
    expect: ReportShare = _ignore,
) -> Tensor:
    """Return (layers, units): Σ over images of KL(softmax(z) ‖ softmax(z without the unit)).

    UP-ViT's definition (arXiv 2111.15127). Each unit is masked in place on its own copy of the
    images, and many copies go through the model as one batch; what comes before the unit's block
    is computed once. Still it takes a forward pass for every unit and image: hours for ViT-B, whose
    46,848 units :func:`taylor_kl_importance` scores with few of them.

    Args:
        model: model in evaluation mode.
        inputs: (images, channels, height, width) of the part's own data.
        stage: which units.
        report: called after every batch with the share that is done, 0 to 1.
        expect: called with the seconds that it is expected to take, before it begins.
    """
    layers, units = unit_shape(model, stage)
    everything = [torch.arange(units)] * layers
    return _kl(model, inputs, stage, everything, report, expect)


@torch.no_grad()
def _kl(
    model: VisionTransformer,
    inputs: Tensor,
    stage: Stage,
    wanted: Sequence[Tensor],
    report: ReportShare,
    expect: ReportShare,
) -> Tensor:
    """Return (layers, units) with the KL divergence of the ``wanted`` units of each layer, else 0.

    Images go through the model in groups, whose divergences add up: that bounds the memory.
    """
    layers, units = unit_shape(model, stage)
    scores = torch.zeros(layers, units, dtype=torch.float64)
    most = _images_at_once(model)
    total = len(inputs) * sum(len(one) for one in wanted)
    done = 0

    def count(evaluated: int) -> None:
        nonlocal done
        done += evaluated
        report(done / total)

    for group in inputs.split(most):  # type: ignore[no-untyped-call]
        begun_s = time.perf_counter()
        original = functional.log_softmax(model(group), -1)
        passed_s = time.perf_counter() - begun_s
        if not done:
            passes = sum(
                len(one) * (1.0 if stage == "residual" else (layers - layer) / layers)
                for layer, one in enumerate(wanted)
            )
            expect(passed_s * passes * len(inputs) / len(group))
        _add_divergences(model, group, original, stage, wanted, scores, count)
    return scores


def _images_at_once(model: VisionTransformer) -> int:
    """Return how many images one batch of a forward pass may hold."""
    config = model.config
    values = max(config.width, config.mlp_width) * config.tokens
    return max(1, min(BATCH_TOKENS // config.tokens, MOST_VALUES // values))


def _add_divergences(
    model: VisionTransformer,
    inputs: Tensor,
    original: Tensor,
    stage: Stage,
    wanted: Sequence[Tensor],
    scores: Tensor,
    report: Callable[[int], None],
) -> None:
    """Add to ``scores`` (layers, units) the divergences of the wanted units on some images.

    Args:
        model: model in evaluation mode.
        inputs: (images, channels, height, width).
        original: (images, outputs) log-probabilities of the model as it is.
        stage: which units.
        wanted: places of the units in each layer.
        scores: is added to.
        report: called after every batch with the units times images of it.
    """
    count, units = len(inputs), scores.shape[1]
    at_once = max(1, _images_at_once(model) // count)
    x = model.add_tokens(model.patch_embed(inputs))
    if stage != "residual":
        x = model.enter(x)
    for layer, places in enumerate(wanted):
        for removed in places.split(at_once):  # type: ignore[no-untyped-call]
            factors = torch.ones(len(removed), units, device=x.device)
            factors[torch.arange(len(removed)), removed] = 0.0
            masks = unit_masks(model, stage, layer, factors.repeat_interleave(count, 0))
            copies = x.repeat(len(removed), 1, 1)
            if stage == "residual":
                copies = model.enter(copies, masks)
            encoded = model.encode(copies, masks, first=layer)
            logits = model.classify(model.pool(encoded, masks))
            without = functional.log_softmax(logits, -1).view(len(removed), count, -1)
            divergence = (original.exp() * (original - without)).sum(-1)
            scores[layer, removed] += divergence.double().sum(-1).cpu()
            report(len(removed) * count)
        if stage != "residual":
            x = model.encode(x, first=layer, last=layer + 1)


def taylor_importance(
    model: VisionTransformer, inputs: Tensor, targets: Tensor, stage: Stage
) -> Tensor:
    """Return (layers, units): Σ over images of (∂loss/∂m)² at m = 1, m the unit's mask.

    The first-order change of the loss when the unit goes, squared (Molchanov et al. 2019); one
    backward pass serves every unit of every layer. Images go through the model in groups, whose
    sums add up: that bounds the memory.

    Args:
        model: model in evaluation mode.
        inputs: (images, channels, height, width) of the part's own data.
        targets: (images, outputs) probabilities; the loss is their cross-entropy.
        stage: which units.
    """
    at_once = max(1, _images_at_once(model) // model.config.depth)
    if len(inputs) * model.config.tokens * model.config.depth <= BATCH_TOKENS:
        at_once = len(inputs)
    groups = zip(inputs.split(at_once), targets.split(at_once), strict=True)  # type: ignore[no-untyped-call]
    scores = [_taylor(model, *group, stage) for group in groups]
    return torch.stack(scores).sum(0)


def _taylor(model: VisionTransformer, inputs: Tensor, targets: Tensor, stage: Stage) -> Tensor:
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


def taylor_kl_importance(
    model: VisionTransformer,
    inputs: Tensor,
    targets: Tensor,
    stage: Stage,
    *,
    kept: int | None = None,
    share: float = EXACT_SHARE,
    report: ReportShare = _ignore,
    expect: ReportShare = _ignore,
) -> Tensor:
    """Return (layers, units): the Taylor importance, its ranks corrected by KL where they count.

    In every layer, the KL divergence of a share of the units is computed exactly, and they change
    ranks among themselves accordingly: the scores that Taylor gave them are dealt out anew, the
    highest to the unit of the largest divergence. Units of which ``kept`` stay are those next to
    that rank, because the best ones stay in any order; without it, the best ones.

    Args:
        model: model in evaluation mode.
        inputs: (images, channels, height, width) of the part's own data.
        targets: (images, outputs) probabilities, for the Taylor importance.
        stage: which units.
        kept: number of units that stay in each layer; None ranks the best ones.
        share: share of the units of each layer whose divergence is computed, rounded up.
        report: called after every batch of divergences with the share that is done, 0 to 1.
        expect: called with the seconds that the divergences are expected to take.
    """
    scores = taylor_importance(model, inputs, targets, stage)
    count = math.ceil(share * scores.shape[1])
    wanted = [_contested(layer, count, kept) for layer in scores]
    exact = _kl(model, inputs, stage, wanted, report, expect)
    for layer, places in enumerate(wanted):
        by_divergence = places[exact[layer, places].argsort(descending=True, stable=True)]
        scores[layer, by_divergence] = scores[layer, places].sort(descending=True).values
    return scores


def _contested(scores: Tensor, count: int, kept: int | None) -> Tensor:
    """Return the places of ``count`` units: the best, or those whose rank is next to ``kept``."""
    ranked = scores.argsort(descending=True, stable=True)
    first = 0 if kept is None else min(max(0, kept - (count + 1) // 2), len(ranked) - count)
    return ranked[first : first + count]


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
    *,
    kept: int | None = None,
    expect: ReportShare = _ignore,
) -> Tensor:
    """Return (layers, units) by the named measure; see the functions of this file.

    Raises:
        InputError: the measure is unknown.
    """
    measures: dict[str, Callable[[], Tensor]] = {
        "kl": lambda: kl_importance(model, inputs, stage, report, expect),
        "taylor-kl": lambda: taylor_kl_importance(
            model, inputs, targets, stage, kept=kept, report=report, expect=expect
        ),
        "taylor": lambda: taylor_importance(model, inputs, targets, stage),
        "magnitude": lambda: magnitude_importance(model, stage),
        "random": lambda: random_importance(model, stage, generator),
    }
    if measure not in measures:
        raise InputError(f"importance must be one of {', '.join(MEASURES)}, not '{measure}'")
    return measures[measure]()
