"""The catalog of models, by timm's names."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from edgesim.common.errors import InputError, nearest
from edgesim.graph.builder import Builder
from edgesim.graph.convit import convit
from edgesim.graph.convnext import convnext
from edgesim.graph.convshare import convshare
from edgesim.graph.crossvit import crossvit
from edgesim.graph.efficientformer import efficientformer
from edgesim.graph.efficientvit import efficientvit
from edgesim.graph.fatnet import fatnet
from edgesim.graph.graph import Graph
from edgesim.graph.mobilenet import mobilenet_v2, mobilenet_v3
from edgesim.graph.nextvit import nextvit
from edgesim.graph.pvt import pvt_v2
from edgesim.graph.resnet import resnet, resnet_cifar
from edgesim.graph.swin import swin
from edgesim.graph.tiny_vit import tiny_vit
from edgesim.graph.vit import vit
from edgesim.graph.volo import volo

_COMMON = ("classes", "image_size", "channels")
_OPTIONS = {
    "vit": ("patch_size", "width", "depth", "heads", "head_width", "mlp_width"),
    "convshare": ("patch_size", "depth"),
}
"""What else a model of a family may be asked for."""
_FIXED = {"fatnet": ("classes", "image_size")}
"""What a model of a family may not be asked for."""
_BUILDERS: Mapping[str, Callable[..., Graph]] = {
    make.__name__: make
    for make in (
        convit, convnext, convshare, crossvit, efficientformer, efficientvit, fatnet, mobilenet_v2,
        mobilenet_v3, nextvit, pvt_v2, resnet, resnet_cifar, swin, tiny_vit, vit, volo,
    )
}  # fmt: skip
"""The builders of architectures, by family."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What is known of a model before it is built.

    Attributes:
        name: name in timm.
        family: family of architectures, such as ``vit`` or ``resnet``.
        source: paper.
        options: keyword arguments of `build` that this model takes.
        heads: attention heads; None where there are none.
        width: residual width of a transformer.
        mlp_width: feed-forward width of a transformer.
        depth: blocks of a transformer.
        image_size: height and width of its input, in pixels.
        classes: outputs, unless asked otherwise.
        top1: published share of images of ImageNet-1k that it classifies correctly, in percent, of
            `TOP1_SOURCE`; None where there is none.
        weights: weights that reach it, as timm calls them.
    """

    name: str
    family: str
    source: str
    options: tuple[str, ...]
    heads: int | None = None
    width: int | None = None
    mlp_width: int | None = None
    depth: int | None = None
    image_size: int = 224
    classes: int = 1000
    top1: float | None = None
    weights: str | None = None


TOP1_SOURCE = (
    "timm, results/results-imagenet.csv of 2025-10-30 (github.com/huggingface/pytorch-image-models)"
)
"""Where the top-1 accuracies are from: of each model, the best of its weights at its image size."""

_Entry = tuple[ModelInfo, Mapping[str, Any]]
"""What is known of a model, and the arguments of its builder."""


@cache
def _catalog() -> Mapping[str, _Entry]:
    """Return the models of ``zoo.toml``."""
    text = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
    return {name: _entry_of(name, given) for name, given in tomllib.loads(text).items()}


def _entry_of(name: str, given: Mapping[str, Any]) -> _Entry:
    fixed = {"image_size": 224, "classes": 1000, **given}
    family, source = fixed.pop("family"), fixed.pop("source")
    top1, weights = fixed.pop("top1", None), fixed.pop("weights", None)
    info = ModelInfo(
        name=name,
        family=family,
        source=source,
        options=tuple(
            key
            for key in (*_COMMON, *_OPTIONS.get(family, ()))
            if key not in _FIXED.get(family, ())
        ),
        image_size=fixed["image_size"],
        classes=fixed["classes"],
        top1=top1,
        weights=weights,
    )
    if family == "vit":
        width, depth, heads = fixed["width"], fixed["depth"], fixed["heads"]
        info = replace(info, heads=heads, width=width, mlp_width=4 * width, depth=depth)
    return info, fixed


def names() -> list[str]:
    """Return the names of all models."""
    return list(_catalog())


def info(name: str) -> ModelInfo:
    """Return what is known of a model.

    Raises:
        InputError: no model has this name; the message names the nearest.
    """
    return _entry(name)[0]


def build(name: str, **options: int) -> Graph:
    """Return the graph of a model; the same one for the same arguments, while it is in use often.

    Args:
        name: one of `names`.
        options: integers that replace the model's own (``classes=10, image_size=32``); which a
            model takes is in `info`.

    Raises:
        InputError: an unknown name or option, a value that is no positive integer, or sizes that
            do not go together.
    """
    known, _ = _entry(name)
    for key, value in options.items():
        if key not in known.options:
            raise InputError(
                f"model '{name}' takes no option '{key}'{nearest(key, list(known.options))}; "
                f"it takes {', '.join(known.options)}"
            )
        least = 0 if key == "classes" else 1
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(
                f"model '{name}': {key} must be an integer of at least {least}, got {value!r}"
            )
    return _build(name, tuple(sorted(options.items())))


@lru_cache(maxsize=128)
def _build(name: str, options: tuple[tuple[str, int], ...]) -> Graph:
    """Build a graph whose options are known to be right."""
    known, fixed = _entry(name)
    given = {"channels": 3, **fixed, **dict(options)}
    channels, side = given.pop("channels"), given.pop("image_size")
    return _BUILDERS[known.family](Builder(name, (channels, side, side)), **given)


def _entry(name: str) -> _Entry:
    entry = _catalog().get(name)
    if entry is None:
        raise InputError(
            f"no model is named '{name}'{nearest(name, names())}; "
            "`edgesim models` lists what there is"
        )
    return entry
