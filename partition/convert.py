"""Checkpoints of other libraries as weights of the one plain ViT, under timm's names.

timm's own, Hugging Face transformers' and torchvision's names are known. What can be folded into
plain weights is: LayerScale into the weights before it, biases and positions that a model lacks as
zeros. What weights do not show (heads, activation, the norms' epsilon) is the library's rule, or in
the ``config.json`` that both hubs put beside the weights. What is no plain ViT is refused by name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from partition.config import Activation, Pooling
from partition.errors import InputError

Weights = dict[str, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """Weights of a plain ViT, and what they do not show.

    Attributes:
        weights: by the names of :class:`~partition.model.VisionTransformer`.
        heads: number of attention heads, where the library says it.
        activation: of the feed-forward layers; None where it is not known.
        norm_epsilon: what every norm adds to the variance.
        pooling: what the head reads.
        headless: why a head that the file has is not used; None where it is used.
    """

    weights: Weights
    heads: int | None = None
    activation: Activation | None = "gelu"
    norm_epsilon: float = 1e-6
    pooling: Pooling = "token"
    headless: str | None = None


_TAKE = "take a ViT, DeiT, DINOv2, CLIP, or a SigLIP with average pooling"
_REFUSED: Mapping[str, str] = {
    r"(^|\.)rope(_|\.|$)|inv_freq$": "rotary positions (EVA, DINOv3)",
    r"embeddings\.patch_embeddings\.weight$": "rotary positions (DINOv3)",
    r"rel_pos|relative_position": "relative positions (BEiT, Swin)",
    r"(^|\.)attn_pool\.": "attention pooling (SigLIP); take its 'gap' variant, or a ViT",
    r"\.(q_norm|k_norm|query_norm|key_norm)\.": "norms of queries and keys",
    r"\.attn\.norm\.|\.mlp\.norm\.": "norms inside its blocks (EVA)",
    r"\.(fc1_g|fc1_x|w12|weights_in)\.": "a gated feed-forward (SwiGLU: EVA, DINOv2 giant)",
    r"\.attns\.\d|\.ffns\.\d": "parallel branches",
    r"token_embed|cls_embed|patch_embed\.\w*norm": "a patch embedding of its own",
    r"experts|\.gate\.": "experts",
}
"""By a pattern of a name that only they have: parts that no plain ViT has."""


def to_plain(
    weights: Mapping[str, Tensor], where: str, described: Mapping[str, Any] | None = None
) -> Plain:
    """Return the weights of a plain ViT.

    Args:
        weights: by the names of timm, transformers or torchvision.
        where: name of the weights in messages.
        described: ``config.json`` of the model, if there is one.

    Raises:
        InputError: the model is no plain ViT; the message names what it has.
    """
    found = _by_library(dict(weights), where, described or {})
    _refuse(found.weights, where)
    return _folded(found, where)


def read_description(path: Path) -> Mapping[str, Any]:
    """Return the ``config.json`` beside a checkpoint; empty where there is none.

    Raises:
        InputError: it is there, and damaged.
    """
    beside = path.with_name("config.json")
    if not beside.is_file():
        return {}
    try:
        found = json.loads(beside.read_bytes())
        if not isinstance(found, dict):
            raise ValueError("it is no mapping")
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{beside} is damaged ({error}); fetch it again, or remove it") from error
    inner = found.get("vision_config")
    return {**found, **inner} if isinstance(inner, dict) else found


def _by_library(weights: Weights, where: str, described: Mapping[str, Any]) -> Plain:
    if "conv_proj.weight" in weights:
        return Plain(weights=_renamed(weights, _TORCHVISION))
    for kind, (mark, names) in _HUGGING_FACE.items():
        key = next((key for key in weights if key.endswith(mark)), None)
        if key is not None:
            return _of_hugging_face(
                _without_prefix(weights, key.removesuffix(mark)), kind, names, where, described
            )
    return _of_timm(weights, described)


def _renamed(weights: Mapping[str, Tensor], names: Mapping[str, str | None]) -> Weights:
    """Return the weights by other names; those whose new name is None are left out.

    Args:
        weights: by their names.
        names: new name by a pattern of the whole name; others stay as they are.
    """
    found: Weights = {}
    for key, value in weights.items():
        new: str | None = key
        for pattern, name in names.items():
            if match := re.fullmatch(pattern, key):
                new = None if name is None else match.expand(name)
                break
        if new is not None:
            found[new] = value
    return _joined(found)


def _joined(weights: Weights) -> Weights:
    """Return the weights with queries, keys and values as one matrix, and tokens of three axes."""
    for key in [key for key in weights if ".attn.q." in key]:
        rows = [weights.pop(key.replace(".attn.q.", f".attn.{one}."), None) for one in "qkv"]
        known = [row for row in rows if row is not None]
        if key.endswith("bias"):
            # Some models have no bias for the keys.
            rows = [torch.zeros_like(known[0]) if row is None else row for row in rows]
        weights[key.replace(".attn.q.", ".attn.qkv.")] = torch.cat(
            [row for row in rows if row is not None]
        )
    for name in ("cls_token", "pos_embed"):
        if name in weights and weights[name].dim() < 3:
            weights[name] = weights[name].reshape(1, -1, weights[name].shape[-1])
    return weights


_KIND = r"(weight|bias)"
_TORCHVISION: Mapping[str, str | None] = {
    "class_token": "cls_token",
    rf"conv_proj\.{_KIND}": r"patch_embed.proj.\1",
    r"encoder\.pos_embedding": "pos_embed",
    rf"encoder\.ln\.{_KIND}": r"norm.\1",
    rf"heads\.head\.{_KIND}": r"head.\1",
    rf"encoder\.layers\.encoder_layer_(\d+)\.ln_([12])\.{_KIND}": r"blocks.\1.norm\2.\3",
    rf"encoder\.layers\.encoder_layer_(\d+)\.self_attention\.in_proj_{_KIND}": (
        r"blocks.\1.attn.qkv.\2"
    ),
    rf"encoder\.layers\.encoder_layer_(\d+)\.self_attention\.out_proj\.{_KIND}": (
        r"blocks.\1.attn.proj.\2"
    ),
    rf"encoder\.layers\.encoder_layer_(\d+)\.mlp\.(?:0|linear_1)\.{_KIND}": r"blocks.\1.mlp.fc1.\2",
    rf"encoder\.layers\.encoder_layer_(\d+)\.mlp\.(?:3|linear_2)\.{_KIND}": r"blocks.\1.mlp.fc2.\2",
}
_LAYER = r"(?:encoder\.)?layers?\.(\d+)\."
_VIT: Mapping[str, str | None] = {
    r"embeddings\.cls_token": "cls_token",
    r"embeddings\.distillation_token": "dist_token",
    r"embeddings\.register_tokens": "reg_token",
    r"embeddings\.mask_token": None,
    r"embeddings\.position_embeddings": "pos_embed",
    rf"embeddings\.patch_embeddings\.projection\.{_KIND}": r"patch_embed.proj.\1",
    rf"{_LAYER}attention\.(?:attention\.)?(?:query|q_proj)\.{_KIND}": r"blocks.\1.attn.q.\2",
    rf"{_LAYER}attention\.(?:attention\.)?(?:key|k_proj)\.{_KIND}": r"blocks.\1.attn.k.\2",
    rf"{_LAYER}attention\.(?:attention\.)?(?:value|v_proj)\.{_KIND}": r"blocks.\1.attn.v.\2",
    rf"{_LAYER}attention\.(?:output\.dense|o_proj|out_proj)\.{_KIND}": r"blocks.\1.attn.proj.\2",
    rf"{_LAYER}(?:layernorm_before|norm1)\.{_KIND}": r"blocks.\1.norm1.\2",
    rf"{_LAYER}(?:layernorm_after|norm2)\.{_KIND}": r"blocks.\1.norm2.\2",
    rf"{_LAYER}(?:intermediate\.dense|mlp\.fc1)\.{_KIND}": r"blocks.\1.mlp.fc1.\2",
    rf"{_LAYER}(?:output\.dense|mlp\.fc2)\.{_KIND}": r"blocks.\1.mlp.fc2.\2",
    rf"{_LAYER}layer_scale([12])\.lambda1": r"blocks.\1.ls\2.gamma",
    rf"layernorm\.{_KIND}": r"norm.\1",
    rf"pooler\.dense\.{_KIND}": None,
    rf"(?:cls_)?classifier\.{_KIND}": r"head.\1",
    rf"distillation_classifier\.{_KIND}": r"head_dist.\1",
}
_CLIP: Mapping[str, str | None] = {
    r"embeddings\.class_embedding": "cls_token",
    r"embeddings\.position_ids": None,
    r"embeddings\.position_embedding\.weight": "pos_embed",
    rf"embeddings\.patch_embedding\.{_KIND}": r"patch_embed.proj.\1",
    rf"pre_layrnorm\.{_KIND}": r"norm_pre.\1",
    rf"post_layernorm\.{_KIND}": r"norm.\1",
    rf"{_LAYER}self_attn\.q_proj\.{_KIND}": r"blocks.\1.attn.q.\2",
    rf"{_LAYER}self_attn\.k_proj\.{_KIND}": r"blocks.\1.attn.k.\2",
    rf"{_LAYER}self_attn\.v_proj\.{_KIND}": r"blocks.\1.attn.v.\2",
    rf"{_LAYER}self_attn\.out_proj\.{_KIND}": r"blocks.\1.attn.proj.\2",
    rf"{_LAYER}layer_norm([12])\.{_KIND}": r"blocks.\1.norm\2.\3",
    rf"{_LAYER}mlp\.(fc[12])\.{_KIND}": r"blocks.\1.mlp.\2.\3",
    r"visual_projection\.weight": "head.weight",
    rf"classifier\.{_KIND}": r"head.\1",
    r"(?:text_model|text_projection|logit_scale|logit_bias).*": None,
}
_HUGGING_FACE: Mapping[str, tuple[str, Mapping[str, str | None]]] = {
    "ViT": ("embeddings.patch_embeddings.projection.weight", _VIT),
    "CLIP": ("embeddings.patch_embedding.weight", _CLIP),
}
"""Of both families of names: what a file of it has, and the names."""
_HIDDEN_ACTIVATIONS: Mapping[str, Activation] = {
    "gelu": "gelu",
    "gelu_new": "gelu-tanh",
    "gelu_pytorch_tanh": "gelu-tanh",
    "quick_gelu": "quick-gelu",
}


def _without_prefix(weights: Weights, prefix: str) -> Weights:
    """Return the weights without what stands before the names of the tower, ``vit.`` say."""
    return {key.removeprefix(prefix): value for key, value in weights.items()}


def _of_hugging_face(
    weights: Weights,
    kind: str,
    names: Mapping[str, str | None],
    where: str,
    described: Mapping[str, Any],
) -> Plain:
    """Return weights with the names of transformers; its defaults hold without a description."""
    siglip = kind == "CLIP" and "embeddings.class_embedding" not in weights
    if siglip and "classifier.weight" not in weights:
        for key in weights:
            if key.startswith("head."):
                raise _no_plain(where, key, _REFUSED[r"(^|\.)attn_pool\."])
    dino = any("layer_scale1" in key for key in weights)
    activation: Activation | None = "gelu"
    pooling: Pooling = "token"
    headless: str | None = None
    epsilon = 1e-6 if dino else 1e-12
    if siglip:
        # Its attention pooling is there beside a classifier, which does not read it.
        weights = {key: value for key, value in weights.items() if not key.startswith("head.")}
        activation, epsilon, pooling = "gelu-tanh", 1e-6, "mean"
    elif kind == "CLIP":
        # OpenAI's have QuickGELU, LAION's GELU.
        activation, epsilon = None, 1e-5
        if "classifier.weight" in weights:
            headless = "its classifier reads patches that are not normalised"
    if dino and "classifier.weight" in weights:
        headless = "its classifier reads the class token and the mean of the patches together"
    if headless:
        weights = {key: w for key, w in weights.items() if not key.startswith("classifier.")}
    found = Plain(
        weights=_renamed(weights, names),
        activation=activation,
        norm_epsilon=epsilon,
        pooling=pooling,
        headless=headless,
    )
    return _described(found, where, described)


def _described(found: Plain, where: str, described: Mapping[str, Any]) -> Plain:
    """Return the weights with what a ``config.json`` of transformers says."""
    heads, epsilon = described.get("num_attention_heads"), described.get("layer_norm_eps")
    if isinstance(heads, int) and heads > 0:
        found = replace(found, heads=heads)
    if isinstance(epsilon, float) and 0 < epsilon < 1:
        found = replace(found, norm_epsilon=epsilon)
    named = described.get("hidden_act")
    if isinstance(named, str):
        if named not in _HIDDEN_ACTIVATIONS:
            raise InputError(
                f"{where}: its config.json says hidden_act {named!r}; known are "
                f"{', '.join(_HIDDEN_ACTIVATIONS)}"
            )
        found = replace(found, activation=_HIDDEN_ACTIVATIONS[named])
    return found


_TANH_OF_TIMM = re.compile(
    r"^vit_(base_patch32_siglip_gap_256|large_patch16_siglip_gap_512"
    r"|so400m_patch16_siglip_gap_\d+|giantopt_patch16_siglip_gap_\d+)"
)
"""timm's averaging models with GELU by tanh (timm 1.0)."""


def _of_timm(weights: Weights, described: Mapping[str, Any]) -> Plain:
    architecture = described.get("architecture")
    activation: Activation | None = "gelu"
    if isinstance(architecture, str):
        if "quickgelu" in architecture:
            activation = "quick-gelu"
        elif _TANH_OF_TIMM.match(architecture):
            activation = "gelu-tanh"
    elif "norm_pre.weight" in weights or "cls_token" not in weights:
        # CLIP's and SigLIP's differ from model to model.
        activation = None
    pooling: Pooling = "token"
    if "fc_norm.weight" in weights:
        pooling = "mean-first"
    elif "cls_token" not in weights or described.get("global_pool") == "avg":
        pooling = "mean"
    return Plain(
        weights=_renamed(weights, {rf"fc_norm\.{_KIND}": r"norm.\1", "mask_token": None}),
        activation=activation,
        norm_epsilon=1e-5 if "norm_pre.weight" in weights else 1e-6,
        pooling=pooling,
    )


def _no_plain(where: str, key: str, what: str) -> InputError:
    return InputError(f"{where}: it is no plain ViT: {key} belongs to {what}; {_TAKE}")


def _refuse(weights: Mapping[str, Tensor], where: str) -> None:
    for pattern, what in _REFUSED.items():
        for key in weights:
            if re.search(pattern, key):
                raise _no_plain(where, key, what)
    blocks = "blocks.0.mlp."
    if {f"{blocks}fc1.weight", f"{blocks}fc2.weight"} <= weights.keys():
        first, second = weights[f"{blocks}fc1.weight"], weights[f"{blocks}fc2.weight"]
        if first.dim() == second.dim() == 2 and first.shape[0] == 2 * second.shape[1]:
            raise _no_plain(where, f"{blocks}fc1.weight", _REFUSED[_GATED])
    if "blocks.0.attn.qkv.weight" in weights and "pos_embed" not in weights:
        raise InputError(
            f"{where}: it is no plain ViT: it has no pos_embed, so its positions are not learned "
            f"(rotary: EVA, DINOv3); {_TAKE}"
        )


_GATED = next(pattern for pattern in _REFUSED if "fc1_g" in pattern)


def _folded(found: Plain, where: str) -> Plain:
    """Return the weights with everything that plain ones can say folded into them."""
    weights = found.weights
    for key in [key for key in weights if re.fullmatch(r"blocks\.\d+\.ls[12]\.gamma", key)]:
        block, scale, _ = key.rsplit(".", 2)
        layer = f"{block}.{'attn.proj' if scale == 'ls1' else 'mlp.fc2'}"
        gamma = weights.pop(key)
        for kind in ("weight", "bias"):
            name = f"{layer}.{kind}"
            if name in weights:
                if gamma.dim() != 1 or len(weights[name]) != len(gamma):
                    raise InputError(f"{where}: {key} is not of the shape of {name}")
                weights[name] = weights[name] * gamma.view(-1, *[1] * (weights[name].dim() - 1))
    for key in [key for key in weights if key.endswith(".weight")]:
        bias = key.removesuffix("weight") + "bias"
        if bias not in weights and _may_lack_bias(key):
            weights[bias] = weights[key].new_zeros(len(weights[key]))
    _add_positions(weights)
    return found


def _may_lack_bias(key: str) -> bool:
    return key in ("patch_embed.proj.weight", "head.weight") or key.endswith(".attn.qkv.weight")


def _add_positions(weights: Weights) -> None:
    """Give tokens before the patches the position zero, where only patches have positions."""
    positions = weights.get("pos_embed")
    if positions is None or positions.dim() != 3:
        return
    before = sum(
        weights[name].shape[1]
        for name in ("cls_token", "dist_token", "reg_token")
        if name in weights and weights[name].dim() == 3
    )
    count, registers = positions.shape[1], weights.get("reg_token")
    if not before or not _is_grid(count):
        if (
            registers is not None
            and registers.dim() == 3
            and _is_grid(count - before + registers.shape[1])
        ):
            # transformers' DINOv2: class token and patches have positions, registers none.
            zeros = positions.new_zeros(1, registers.shape[1], positions.shape[2])
            classes = before - registers.shape[1]
            weights["pos_embed"] = torch.cat(
                (positions[:, :classes], zeros, positions[:, classes:]), 1
            )
        return
    zeros = positions.new_zeros(1, before, positions.shape[2])
    weights["pos_embed"] = torch.cat((zeros, positions), 1)


def _is_grid(count: int) -> bool:
    return count > 0 and round(count**0.5) ** 2 == count
