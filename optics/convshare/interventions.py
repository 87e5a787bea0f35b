"""Whether a model uses its attention: its answers when attention is interfered with.

Attention maps can be sharp and yet without effect (Jain, Wallace 2019), so beside the maps stand
two experiments that change something and count right answers:

* :func:`deletion` blanks the tokens that the class token looks at most, and as many random and
  least looked at ones (Petsiuk et al. 2018; for rollout: Chefer et al. 2021). Where attention
  points at what the answer rests on, the first costs most and the last least.
* :func:`interfering` lets every layer attend as it would in another image, or evenly. What the
  accuracy falls by is what attention to *this* image contributes. A convolution loses nothing: it
  would do the same in every image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from optics.convshare.model import Attention
from optics.errors import InputError

Triple = tuple[Tensor, Tensor, Tensor]

Interference = Literal["another image", "evenly"]
"""Attention of the next image of the batch, or the same to every token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """Shares of right answers, 0 to 1, with tokens of every image blanked.

    Attributes:
        none: nothing blanked.
        most: the tokens that the class token looks at most.
        random: accuracy with as many random tokens blanked.
        least: accuracy with as many of the least attended tokens blanked.
    """

    none: float
    most: float
    random: float
    least: float

    @property
    def gap(self) -> float:
        """Accuracy that the most looked at tokens cost more than random ones; 0 for uniform."""
        return self.random - self.most


def deletion(
    predict: Callable[[Tensor], Tensor],
    images: Tensor,
    labels: Tensor,
    maps: Tensor,
    *,
    patch: int,
    share: float,
    generator: torch.Generator,
    blank: float = 0.0,
) -> Deletion:
    """Blank tokens by where the class token looks, and count right answers.

    Tokens that are looked at equally are taken in the order of the random choice: uniform maps give
    the same three sets of tokens, and a gap of exactly 0.

    Args:
        predict: gives logits (images, classes) of images.
        images: (images, channels, height, width), as the model takes them.
        labels: (images,), the right classes.
        maps: (images, tokens), see :func:`~optics.convshare.attention_score.rollout`.
        patch: side of a token in pixels.
        share: share of the tokens that is blanked, above 0 and below 1; rounded to whole tokens.
        generator: generator of the random choice.
        blank: value of blanked pixels; 0 is the mean of normalised images.

    Raises:
        InputError: patches do not fill the images, or there are not as many maps as images.
    """
    count, _, height, width = images.shape
    tokens = (height // patch) * (width // patch)
    if height % patch or width % patch or maps.shape != (count, tokens):
        raise InputError(
            f"{count} images of {height} x {width} pixels in patches of {patch} need maps of shape "
            f"({count}, {height / patch:g} x {width / patch:g}); got {tuple(maps.shape)}"
        )
    taken = round(share * tokens)
    if not 0 < taken < tokens:
        raise InputError(
            f"share must blank at least one of {tokens} tokens and leave one; got {share}"
        )
    order = torch.stack([torch.randperm(tokens, generator=generator) for _ in range(count)])
    drawn = maps.cpu().gather(1, order)
    chosen = {
        "most": order.gather(1, drawn.argsort(dim=1, descending=True, stable=True)),
        "random": order,
        "least": order.gather(1, drawn.argsort(dim=1, stable=True)),
    }
    right = {"none": _right(predict(images), labels)}
    for name, ordered in chosen.items():
        blanked = _blanked(images, ordered[:, :taken], patch, blank)
        right[name] = _right(predict(blanked), labels)
    return Deletion(**right)


@contextmanager
def interfering(model: nn.Module, how: Interference) -> Iterator[None]:
    """Within the block, let every layer attend as in another image, or evenly.

    Queries and keys are those of the next image of the batch (its first follows its last), which
    gives that image's attention, or queries are zero, which gives uniform attention. Values stay
    the image's own. A batch of one image has no other: it keeps its attention.

    Args:
        model: model with at least one :class:`~optics.convshare.model.Attention`.
        how: which of the two.

    Raises:
        InputError: the model has no such attention.
    """
    layers = [module for module in model.modules() if isinstance(module, Attention)]
    if not layers:
        raise InputError("the model has no attention to interfere with; take a ConvShareViT")
    for layer in layers:
        # An attribute of the module hides its method until it is removed.
        layer.__dict__["queries_keys_values"] = _interfered(layer.queries_keys_values, how)
    try:
        yield
    finally:
        for layer in layers:
            del layer.__dict__["queries_keys_values"]


def _interfered(mix: Callable[[Tensor], Triple], how: Interference) -> Callable[[Tensor], Triple]:
    """Return ``mix`` (queries, keys and values of tokens) with its queries and keys changed."""

    def changed(x: Tensor) -> Triple:
        query, key, value = mix(x)
        if how == "evenly":
            return torch.zeros_like(query), key, value
        return query.roll(-1, 0), key.roll(-1, 0), value

    return changed


def _right(logits: Tensor, labels: Tensor) -> float:
    """Return the share of rows whose highest logit is at their label."""
    return float((logits.argmax(-1) == labels).double().mean())


def _blanked(images: Tensor, chosen: Tensor, patch: int, blank: float) -> Tensor:
    """Return copies of images with the ``chosen`` (images, some) tokens' pixels blanked."""
    count, _, height, width = images.shape
    rows, columns = height // patch, width // patch
    mask = torch.zeros(count, rows * columns, dtype=torch.bool)
    mask.scatter_(1, chosen, True)
    pixels = mask.view(count, 1, rows, columns).repeat_interleave(patch, 2)
    pixels = pixels.repeat_interleave(patch, 3).to(images.device)
    return images.masked_fill(pixels, blank)
