"""The catalog of models, by timm's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial

from edgesim.common.errors import InputError, nearest
from edgesim.graph.convit import convit
from edgesim.graph.convnext import convnext
from edgesim.graph.convshare import convshare
from edgesim.graph.crossvit import crossvit
from edgesim.graph.efficientformer import efficientformer
from edgesim.graph.efficientvit import efficientvit
from edgesim.graph.graph import Graph
from edgesim.graph.mobilenet import mobilenet_v2
from edgesim.graph.mobilenet_v3 import LARGE, SMALL, mobilenet_v3
from edgesim.graph.nextvit import nextvit
from edgesim.graph.pvt import pvt_v2
from edgesim.graph.resnet import resnet
from edgesim.graph.resnet_cifar import resnet_cifar
from edgesim.graph.swin import swin
from edgesim.graph.tiny_vit import tiny_vit
from edgesim.graph.vit import vit
from edgesim.graph.volo import volo

_COMMON = ("classes", "image_size", "channels")
_VIT_OPTIONS = (*_COMMON, "patch_size", "width", "depth", "heads", "head_width", "mlp_width")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What is known of a model before it is built.

    Attributes:
        name: in timm.
        family: of architectures, such as ``vit`` or ``resnet``.
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


def _plain(
    name: str,
    source: str,
    make: Callable[..., Graph],
    *,
    image_size: int = 224,
    classes: int = 1000,
    **fixed: object,
) -> _Entry:
    """Return a model whose shape is its own; only what surrounds it may be chosen."""
    info = ModelInfo(
        name=name,
        family=make.__name__,
        source=source,
        options=_COMMON,
        image_size=image_size,
        classes=classes,
    )
    return _Entry(info, make, {"image_size": image_size, "classes": classes, **fixed})


def _convolutional() -> list[_Entry]:
    residual = partial(_plain, source="arXiv 1512.03385", make=resnet)
    mobile = partial(_plain, source="arXiv 1905.02244", make=mobilenet_v3)
    next_ = partial(_plain, source="arXiv 2201.03545", make=convnext)
    return [
        residual("resnet18", blocks=(2, 2, 2, 2), bottleneck=False),
        residual("resnet34", blocks=(3, 4, 6, 3), bottleneck=False),
        residual("resnet50", blocks=(3, 4, 6, 3), bottleneck=True),
        residual("resnet101", blocks=(3, 4, 23, 3), bottleneck=True),
        residual("resnet152", blocks=(3, 8, 36, 3), bottleneck=True),
        _plain("mobilenetv2_100", "arXiv 1801.04381", mobilenet_v2),
        mobile("mobilenetv3_small_100", blocks=SMALL, features=1024),
        mobile("mobilenetv3_large_100", blocks=LARGE, features=1280),
        next_("convnext_tiny", depths=(3, 3, 9, 3), widths=(96, 192, 384, 768)),
        next_("convnext_small", depths=(3, 3, 27, 3), widths=(96, 192, 384, 768)),
        next_("convnext_base", depths=(3, 3, 27, 3), widths=(128, 256, 512, 1024)),
    ]


def _for_light() -> list[_Entry]:
    """Return what the authors of FatNet and ConvShareViT put on light, at the sizes they use."""
    options = (*_COMMON, "patch_size", "depth")
    shape = {"image_size": 72, "classes": 100}
    token = ModelInfo(
        name="", family="convshare", source="arXiv 2504.11517", options=options, **shape
    )
    return [
        _plain(
            "resnet18_cifar", "arXiv 2210.16914", resnet_cifar, image_size=32, classes=100, blocks=2
        ),
        _Entry(replace(token, name="convsharevit_72"), convshare, shape),
        _Entry(
            replace(token, name="convsharevit_same_72"),
            convshare,
            {**shape, "mixing": "shared-same"},
        ),
    ]


def _hierarchical() -> list[_Entry]:
    windows = partial(_plain, source="arXiv 2103.14030", make=swin)
    pyramid = partial(_plain, source="arXiv 2106.13797", make=pvt_v2)
    former = partial(_plain, source="arXiv 2206.01191", make=efficientformer)
    linear = partial(_plain, source="arXiv 2205.14756", make=efficientvit)
    name = "swin_{}_patch4_window7_224".format
    return [
        windows(name("tiny"), width=96, depths=(2, 2, 6, 2), heads=(3, 6, 12, 24)),
        windows(name("small"), width=96, depths=(2, 2, 18, 2), heads=(3, 6, 12, 24)),
        windows(name("base"), width=128, depths=(2, 2, 18, 2), heads=(4, 8, 16, 32)),
        pyramid("pvt_v2_b0", depths=(2, 2, 2, 2), widths=(32, 64, 160, 256)),
        pyramid("pvt_v2_b1", depths=(2, 2, 2, 2), widths=(64, 128, 320, 512)),
        pyramid("pvt_v2_b2", depths=(3, 4, 6, 3), widths=(64, 128, 320, 512)),
        former("efficientformer_l1", depths=(3, 2, 6, 4), widths=(48, 96, 224, 448)),
        linear(
            "efficientvit_b1",
            depths=(1, 2, 3, 3, 4),
            widths=(16, 32, 64, 128, 256),
            head_width=16,
            features=(1536, 1600),
        ),
        linear(
            "efficientvit_b2",
            depths=(1, 3, 4, 4, 6),
            widths=(24, 48, 96, 192, 384),
            head_width=32,
            features=(2304, 2560),
        ),
        linear(
            "efficientvit_b3",
            depths=(1, 4, 6, 6, 9),
            widths=(32, 64, 128, 256, 512),
            head_width=32,
            features=(2304, 2560),
        ),
        _plain(
            "tiny_vit_5m_224",
            "arXiv 2207.10666",
            tiny_vit,
            depths=(2, 2, 6, 2),
            widths=(64, 128, 160, 320),
            heads=(4, 5, 10),
            windows=(7, 14, 7),
            classes=21841,
        ),
    ]


def _hybrid() -> list[_Entry]:
    return [
        _plain(
            "convit_small", "arXiv 2103.10697", convit, width=432, depth=12, heads=9, positional=10
        ),
        _plain(
            "crossvit_small_240",
            "arXiv 2103.14899",
            crossvit,
            image_size=240,
            widths=(192, 384),
            depths=(1, 4),
            heads=6,
            rounds=3,
        ),
        _plain(
            "nextvit_small",
            "arXiv 2207.05501",
            nextvit,
            stages=(
                3 * ((96, False),),
                (*3 * ((192, False),), (256, True)),
                2 * (*4 * ((384, False),), (512, True)),
                (*2 * ((768, False),), (1024, True)),
            ),
        ),
        _plain(
            "volo_d1_224",
            "arXiv 2106.13112",
            volo,
            widths=(192, 384),
            outlookers=4,
            transformers=14,
        ),
    ]


@cache
def _catalog() -> Mapping[str, _Entry]:
    entries = [
        *_transformers(), *_convolutional(), *_for_light(), *_hierarchical(), *_hybrid(),
    ]  # fmt: skip
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
