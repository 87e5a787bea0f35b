"""The shape of a plain Vision Transformer, and the named shapes of the literature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from partition.errors import InputError, nearest

LARGEST = 1 << 24
DEEPEST = 10_000
"""Of any size and of the blocks of a model: above all that there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViTConfig:
    """Everything that fixes the shapes of a :class:`~partition.model.VisionTransformer`.

    Attributes:
        image: height and width of the square input, in pixels.
        channels: input channels, 1 or 3.
        patch: height and width of a patch, in pixels of what the stem hands on.
        width: residual channels.
        depth: blocks.
        heads: attention heads.
        head_width: query, key and value dimensions of one head; ``heads * head_width`` need not
            be ``width``.
        mlp_width: feed-forward neurons of a block.
        classes: outputs.
        stem: output channels of 3 by 3 convolutions of stride 2 before the patches; empty for
            the plain ViT.
        distilled: DeiT's second token and second head.
    """

    image: int = 224
    channels: int = 3
    patch: int = 16
    width: int = 768
    depth: int = 12
    heads: int = 12
    head_width: int = 64
    mlp_width: int = 3072
    classes: int = 1000
    stem: tuple[int, ...] = ()
    distilled: bool = False

    def __post_init__(self) -> None:
        sizes = ("image", "patch", "width", "depth", "heads", "head_width", "mlp_width", "classes")
        for name in sizes:
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise InputError(f"model {name} must be a whole number of at least 1, not {value}")
            if value > (most := DEEPEST if name == "depth" else LARGEST):
                raise InputError(f"model {name} must be at most {most:,}, not {value}")
        if not isinstance(self.distilled, bool):
            raise InputError(f"model distilled must be true or false, not {self.distilled}")
        if self.channels not in (1, 3):
            raise InputError(f"model channels must be 1 or 3, not {self.channels}")
        if any(isinstance(width, bool) or not 1 <= width <= LARGEST for width in self.stem):
            raise InputError(f"model stem must list channel counts of at least 1, not {self.stem}")
        reach = self.patch << len(self.stem)
        if self.image % reach:
            raise InputError(
                f"image size {self.image} must be a multiple of {reach} "
                f"(patch {self.patch} after {len(self.stem)} convolutions of stride 2)"
            )

    @property
    def grid(self) -> int:
        """Patches along one side."""
        return self.image // (self.patch << len(self.stem))

    @property
    def prefix_tokens(self) -> int:
        """Class token, and the distillation token where there is one."""
        return 2 if self.distilled else 1

    @property
    def tokens(self) -> int:
        """Tokens that the blocks see: patches and prefix."""
        return self.grid**2 + self.prefix_tokens

    @property
    def attention_width(self) -> int:
        """Query dimensions of all heads together."""
        return self.heads * self.head_width

    def with_(self, **changes: Any) -> ViTConfig:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-able values."""
        return asdict(self) | {"stem": list(self.stem)}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> ViTConfig:
        """Return the config that :meth:`to_dict` wrote.

        Raises:
            InputError: a key is unknown or a value out of range.
        """
        if not isinstance(values, Mapping):
            raise InputError(f"expected the shape of a model, not {str(values)[:60]}")
        known = list(ViTConfig.__dataclass_fields__)
        for key in map(str, values):
            if key not in known:
                raise InputError(f"unknown model key '{key[:60]}'{nearest(key[:60], known)}")
        stem = values.get("stem", ())
        if not isinstance(stem, list | tuple) or not all(isinstance(c, int) for c in stem):
            raise InputError(f"model stem must be a list of channel counts, not {stem!r}")
        return ViTConfig(**{**values, "stem": tuple(stem)})


def _standard(heads: int, **fields: Any) -> ViTConfig:
    """Return a shape of heads of 64, width 64 h and feed-forward 256 h."""
    return ViTConfig(width=64 * heads, heads=heads, mlp_width=256 * heads, **fields)


PRESETS: Mapping[str, ViTConfig] = {
    "vit_tiny_patch16_224": _standard(3),
    "vit_small_patch16_224": _standard(6),
    "vit_base_patch16_224": _standard(12),
    "vit_large_patch16_224": _standard(16, depth=24),
    "vit_huge_patch14_224": ViTConfig(
        patch=14, width=1280, depth=32, heads=16, head_width=80, mlp_width=5120
    ),
    "deit_tiny_distilled_patch16_224": _standard(3, distilled=True),
    "deit_small_distilled_patch16_224": _standard(6, distilled=True),
    "deit_base_distilled_patch16_224": _standard(12, distilled=True),
}
"""Shapes by timm's names (Dosovitskiy et al. 2021, Table 1; Touvron et al. 2021, Table 1)."""


def preset(name: str, **changes: Any) -> ViTConfig:
    """Return a named shape with some fields changed.

    Raises:
        InputError: the name is unknown.
    """
    if name not in PRESETS:
        raise InputError(
            f"unknown model '{name}'{nearest(name, list(PRESETS))}; known: {', '.join(PRESETS)}"
        )
    return PRESETS[name].with_(**changes)


def scaled(config: ViTConfig, heads: int) -> ViTConfig:
    """Return the sub-model shape that keeps ``heads`` of the h heads: all else scales by k / h.

    Width and feed-forward width are scaled and rounded; the attention dimensions are taken
    equally from every head where they divide (``head_width * k / h`` whole), else whole heads go.
    Either way ``heads * head_width`` of the result is ``k * head_width`` of the input.

    Raises:
        InputError: ``heads`` is not between 1 and the heads of ``config``.
    """
    if not 1 <= heads <= config.heads:
        raise InputError(f"heads kept must be from 1 to {config.heads}, not {heads}")
    kept_dimensions = config.head_width * heads
    equal = kept_dimensions % config.heads == 0
    return config.with_(
        width=max(1, round(config.width * heads / config.heads)),
        heads=config.heads if equal else heads,
        head_width=kept_dimensions // config.heads if equal else config.head_width,
        mlp_width=max(1, round(config.mlp_width * heads / config.heads)),
    )
