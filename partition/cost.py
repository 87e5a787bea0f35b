"""Parameters, bytes and multiply-accumulates of a model, by arithmetic on its shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from partition.config import ViTConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCost:
    """What one model takes.

    Attributes:
        parameters: weights and biases.
        bytes: bytes of the weights in fp32.
        macs: multiply-accumulates for one image, products of activations included.
        attention_macs: multiply-accumulates of QKᵀ and AV alone.
        feature_bytes: bytes that the model sends to the fusion for one image.
    """

    parameters: int
    bytes: int
    macs: int
    attention_macs: int
    feature_bytes: int


def vit_cost(config: ViTConfig) -> ModelCost:
    """Return parameters, bytes and MACs of a Vision Transformer of shape ``config``.

    With n tokens, width D, attention width A, feed-forward F and depth L:
    blocks take L (4 D A + 2 D F) weights and L n (4 D A + 2 D F + 2 n A) MACs, of which
    2 L n² A are the products of two activations.
    """
    width, inner, hidden = config.width, config.attention_width, config.mlp_width
    tokens, heads = config.tokens, config.feature_tokens

    matrix = 4 * width * inner + 2 * width * hidden
    biases = 3 * inner + width + hidden + width
    parameters = config.depth * (matrix + biases + 4 * width)
    macs = config.depth * tokens * matrix
    attention = config.depth * 2 * tokens**2 * inner

    (rows, columns), before = config.size, config.channels
    for after in config.stem:
        rows, columns = rows // 2, columns // 2
        parameters += 9 * before * after + after
        macs += 9 * before * after * rows * columns
        before = after
    patch = before * config.patch**2 * width
    parameters += patch + width
    macs += patch * config.patches

    norms = 2 if config.pre_norm else 1
    parameters += config.prefix_tokens * width + tokens * width + norms * 2 * width
    parameters += heads * (width + 1) * config.classes
    macs += heads * width * config.classes
    return ModelCost(
        parameters=parameters,
        bytes=4 * parameters,
        macs=macs + attention,
        attention_macs=attention,
        feature_bytes=4 * config.feature_tokens * width,
    )


def mlp_cost(widths: Sequence[int]) -> dict[str, int]:
    """Return parameters, bytes and MACs of linear layers of these widths, input first."""
    macs = sum(a * b for a, b in pairwise(widths))
    parameters = macs + sum(widths[1:])
    return {"parameters": parameters, "bytes": 4 * parameters, "macs": macs}
