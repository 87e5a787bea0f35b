"""The catalog of models, by timm's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

from edgesim.errors import InputError, nearest
from edgesim.graph.graph import Graph
from edgesim.graph.mobilenet import mobilenet_v2
from edgesim.graph.resnet import resnet
from edgesim.graph.vit import vit

_COMMON = ("classes", "image_size", "channels")
_VIT_OPTIONS = (*_COMMON, "patch_size", "width", "depth", "heads", "head_width", "mlp_width")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What is known of a model before it is built.

    Attributes:
        name: in timm.
        family: ``vit``, ``resnet`` or ``mobilenet``.
        source: paper.
        options: keyword arguments of `build` that this model takes.
        heads: attention heads; None where there are none.
        width: residual width of a transformer.
        mlp_width: feed-forward width of a transformer.
        depth: blocks of a transformer.
        image_size: height and width of its input, in pixels.
        classes: outputs, unless asked otherwise.
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


@dataclass(frozen=True, slots=True)
class _Entry:
    info: ModelInfo
    make: Callable[..., Graph]
    fixed: Mapping[str, object] = field(default_factory=dict)


def _transformers() -> list[_Entry]:
    sizes = {
        "tiny": (192, 12, 3),
        "small": (384, 12, 6),
        "base": (768, 12, 12),
        "large": (1024, 24, 16),
    }
    grid = (("patch16", 16, 224), ("patch16", 16, 384), ("patch32", 32, 224), ("patch14", 14, 224))
    entries = []
    for size, shape in sizes.items():
        for label, patch, image in grid:
            entries.append(
                _transformer(f"vit_{size}_{label}_{image}", shape, patch, image, "arXiv 2010.11929")
            )
        for middle in ("", "distilled_"):
            if size != "large":
                name = f"deit_{size}_{middle}patch16_224"
                entries.append(_transformer(name, shape, 16, 224, "arXiv 2012.12877", bool(middle)))
    return entries


def _transformer(
    name: str,
    shape: tuple[int, int, int],
    patch_size: int,
    image_size: int,
    source: str,
    distilled: bool = False,
) -> _Entry:
    width, depth, heads = shape
    fixed = {
        "patch_size": patch_size,
        "image_size": image_size,
        "width": width,
        "depth": depth,
        "heads": heads,
        "distilled": distilled,
    }
    info = ModelInfo(
        name=name,
        family="vit",
        source=source,
        options=_VIT_OPTIONS,
        heads=heads,
        width=width,
        mlp_width=4 * width,
        depth=depth,
        image_size=image_size,
    )
    return _Entry(info, vit, fixed)


def _residual(name: str, blocks: tuple[int, int, int, int], bottleneck: bool) -> _Entry:
    info = ModelInfo(name=name, family="resnet", source="arXiv 1512.03385", options=_COMMON)
    return _Entry(info, resnet, {"blocks": blocks, "bottleneck": bottleneck})


@cache
def _catalog() -> Mapping[str, _Entry]:
    mobile = ModelInfo(
        name="mobilenetv2_100", family="mobilenet", source="arXiv 1801.04381", options=_COMMON
    )
    entries = [
        *_transformers(),
        _residual("resnet18", (2, 2, 2, 2), False),
        _residual("resnet34", (3, 4, 6, 3), False),
        _residual("resnet50", (3, 4, 6, 3), True),
        _residual("resnet101", (3, 4, 23, 3), True),
        _residual("resnet152", (3, 8, 36, 3), True),
        _Entry(mobile, mobilenet_v2),
    ]
    return {entry.info.name: entry for entry in entries}


def names() -> list[str]:
    """Return the names of all models."""
    return list(_catalog())


def info(name: str) -> ModelInfo:
    """Return what is known of a model.

    Raises:
        InputError: no model has this name; the message names the nearest.
    """
    return _entry(name).info


def build(name: str, **options: int) -> Graph:
    """Return the graph of a model.

    Args:
        name: one of `names`.
        options: integers that replace the model's own (``classes=10, image_size=32``); which a
            model takes is in `info`.

    Raises:
        InputError: an unknown name or option, a value that is no positive integer, or sizes that
            do not go together.
    """
    entry = _entry(name)
    for key, value in options.items():
        if key not in entry.info.options:
            known = list(entry.info.options)
            raise InputError(
                f"model '{name}' takes no option '{key}'{nearest(key, known)}; "
                f"it takes {', '.join(known)}"
            )
        least = 0 if key == "classes" else 1
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(
                f"model '{name}': {key} must be an integer of at least {least}, got {value!r}"
            )
    return entry.make(name, **{**entry.fixed, **options})


def _entry(name: str) -> _Entry:
    entry = _catalog().get(name)
    if entry is None:
        raise InputError(
            f"no model is named '{name}'{nearest(name, names())}; "
            "`edgesim models` lists what there is"
        )
    return entry
