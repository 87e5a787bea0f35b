"""Whether a model has learned attention: numbers from its attention maps.

**The headline is** :func:`attention_score`, the agreement of where the class token looks with where
a trained ViT's class token looks. It is Lin's concordance of the two models' rollout maps after the
mean map of each model over the images is taken out of it:

.. math:: s = 2 Σ a·b / (Σ a² + Σ b²),

with a and b the two models' deviations from their mean maps, summed over images and tokens. Each
choice excludes a score of a model without attention:

* *rollout* (Abnar, Zuidema 2020) multiplies attention through all layers and residual connections.
  Maps of single heads cannot be compared between models: heads have no order.
* *taking out the mean map*: a model that looks at the same places in every image (at the middle,
  where things are) has learned a convolution's fixed weights, not attention. It scores 0.
* *concordance, not correlation* (Lin 1989): attention that is uniform but for a trace would have a
  correlation as high as its trace is well directed. Concordance also asks for the amount, so the
  score goes to 0 as attention goes to uniform, without a step.

So a model against itself scores 1, uniform attention and attention that does not see the image
score 0, and negative scores mean looking where the reference does not. Another ViT, trained from
another seed, does not score 1: its score is the ceiling, and that of an untrained ViT the floor,
against which others are to be read.

:func:`agreement` gives the score in its two factors, where and how much. Beside it stand
:func:`relative_entropy` (how evenly), and :func:`attention_distance` (how far: Dosovitskiy et al.
2021, Raghu et al. 2021). None of these says whether the model *uses* its attention: see
:mod:`optics.convshare.interventions`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from optics.errors import InputError

SUM_TOLERANCE = 1e-2
"""How far a row of attention may sum from 1: bfloat16 keeps eight bits."""


ROUNDING = 1e-6
"""Deviations from the mean map below this share of the maps are float32's, not attention."""


def rollout(attention: Tensor) -> Tensor:
    """Return where the class token looks: (images, tokens - 1), every row summing to 1.

    Abnar and Zuidema 2020 (arXiv 2005.00928): the mean over heads A of every layer, with the
    residual connection as ½A + ½I, multiplied from the last layer to the first; of the class
    token's row, the share of every image token. A class token that looks at itself alone gives a
    uniform row.

    Args:
        attention: (depth, images, heads, tokens, tokens), class token first, rows summing to 1.

    Raises:
        InputError: the maps are of another shape, or not finite.
    """
    _check_attention(attention)
    depth, images, _, tokens, _ = attention.shape
    row = attention.new_zeros(images, 1, tokens)
    row[:, :, 0] = 1.0
    for layer in reversed(range(depth)):
        row = 0.5 * row + 0.5 * row @ attention[layer].mean(1)
    seen = row[:, 0, 1:]
    total = seen.sum(-1, keepdim=True)
    uniform = torch.full_like(seen, 1 / (tokens - 1))
    return torch.where(total > 0, seen / total.clamp_min(torch.finfo(seen.dtype).tiny), uniform)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How a model's attention to single images compares with a reference's.

    Attributes:
        direction: correlation of the deviations from the mean maps, -1 to 1; 0 where one of the two
            does not see the image.
        contrast: rms of the model's deviations over that of the reference; infinite where the
            reference does not see the image and the model does.
    """

    direction: float
    contrast: float

    @property
    def score(self) -> float:
        """Lin's concordance, -1 to 1: ``direction · 2 contrast / (1 + contrast²)``."""
        if self.direction == 0:
            return 0.0
        return self.direction * 2 / (self.contrast + 1 / self.contrast)


def attention_score(maps: Tensor, reference: Tensor) -> float:
    """Return the headline, -1 to 1; see the head of this file for why it is this.

    Args:
        maps: (images, tokens), a model's :func:`rollout`.
        reference: the same of a trained ViT on the same images.

    Raises:
        InputError: the shapes differ, or there are fewer than two images.
    """
    return agreement(maps, reference).score


def agreement(maps: Tensor, reference: Tensor) -> Agreement:
    """Compare two models' attention to the same images, without what is the same in all of them.

    Args:
        maps: (images, tokens), a model's :func:`rollout`.
        reference: the same of another model.

    Raises:
        InputError: the shapes differ, or there are fewer than two images.
    """
    if maps.shape != reference.shape or maps.ndim != 2 or len(maps) < 2:
        raise InputError(
            "two models' maps of the same two or more images are compared, each (images, tokens); "
            f"got {tuple(maps.shape)} and {tuple(reference.shape)}"
        )
    own, other = _deviations(maps), _deviations(reference)
    own_rms, other_rms = float(own.square().mean().sqrt()), float(other.square().mean().sqrt())
    if own_rms == 0 or other_rms == 0:
        return Agreement(direction=0.0, contrast=math.inf if own_rms > 0 else 0.0)
    direction = float((own * other).mean()) / (own_rms * other_rms)
    return Agreement(direction=direction, contrast=own_rms / other_rms)


def relative_entropy(attention: Tensor) -> float:
    """Return the mean entropy of the rows over that of a uniform one: 0 (one token) to 1 (uniform).

    ``-Σ p ln p / ln(tokens)``, averaged over layers, images, heads and queries.

    Args:
        attention: (depth, images, heads, tokens, tokens), rows summing to 1.

    Raises:
        InputError: the maps are of another shape, or not finite.
    """
    _check_attention(attention)
    entropy = torch.special.entr(attention).sum(-1).mean(dtype=torch.float64)
    return float(entropy) / math.log(attention.shape[-1])


def attention_distance(attention: Tensor, grid: tuple[int, int]) -> Tensor:
    """Return the mean distance between a query and what it looks at: (depth, heads), in tokens.

    Dosovitskiy et al. 2021 (arXiv 2010.11929, D.7), Raghu et al. 2021 (arXiv 2108.08810): Euclid's
    distance between the middles of image tokens, weighted by attention, averaged over images and
    image tokens as queries. The class token has no place: it is left out on both sides and rows
    are scaled to sum to 1 again; a query that looks at the class token alone counts as looking at
    itself. Times the patch's side it is in pixels.

    Args:
        attention: (depth, images, heads, tokens, tokens), class token first, rows summing to 1.
        grid: rows and columns of image tokens.

    Raises:
        InputError: the attention is of another shape, or the grid has another number of tokens.
    """
    _check_attention(attention)
    rows, columns = grid
    if rows * columns != attention.shape[-1] - 1:
        raise InputError(
            f"a grid of {rows} x {columns} has {rows * columns} image tokens; got attention "
            f"over {attention.shape[-1] - 1} of them and a class token"
        )
    distances = _distances(grid).to(attention)
    among = attention[..., 1:, 1:]
    total = among.sum(-1)
    mean = (among * distances).sum(-1) / total.clamp_min(torch.finfo(total.dtype).tiny)
    return mean.mean(dim=(1, 3))


def uniform_distance(grid: tuple[int, int]) -> float:
    """Return :func:`attention_distance` of uniform attention: the mean over all pairs of tokens."""
    return float(_distances(grid).mean())


def _distances(grid: tuple[int, int]) -> Tensor:
    """Return distances between the tokens of a grid, in tokens, row by row: (tokens, tokens)."""
    rows, columns = (torch.arange(side, dtype=torch.float64) for side in grid)
    places = torch.cartesian_prod(rows, columns)
    return torch.cdist(places, places, compute_mode="donot_use_mm_for_euclid_dist")


def _deviations(maps: Tensor) -> Tensor:
    """Return maps less their mean over the images, in float64; 0 where that is rounding."""
    exact = maps.double()
    off = exact - exact.mean(0)
    noise = ROUNDING * exact.square().mean().sqrt()
    return off if off.square().mean().sqrt() > noise else torch.zeros_like(off)


def _check_attention(attention: Tensor) -> None:
    """Require (depth, images, heads, tokens, tokens) of shares.

    Raises:
        InputError: it is something else.
    """
    shape = tuple(attention.shape)
    if attention.ndim != 5 or shape[-1] != shape[-2] or shape[-1] < 3 or 0 in shape:
        raise InputError(
            "attention must be (depth, images, heads, tokens, tokens), a class token and at least "
            f"two of the image; got {shape}"
        )
    if not attention.is_floating_point():
        raise InputError(f"attention must be floating point; got {attention.dtype}")
    off = (attention.sum(-1) - 1).abs().max()
    if not (off <= SUM_TOLERANCE and attention.min() >= 0):
        raise InputError(
            "attention must be after softmax: not negative, every row summing to 1; the lowest "
            f"value is {float(attention.min()):.3g} and a row is off by {float(off):.3g}"
        )
