"""The shape of a plain Vision Transformer, and the named shapes of the literature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from partition.errors import InputError, nearest

LARGEST = 1 << 24
DEEPEST = 10_000
"""Of any size and of the blocks of a model: above all that there are."""

ImageSize = int | tuple[int, int]
"""Side of a square image, or height and width, in pixels."""
Pooling = Literal["token", "mean", "mean-first"]
"""What the head reads: the normalised class token; the mean of the normalised patches; or the
normalised mean of the patches."""
Activation = Literal["gelu", "gelu-tanh", "quick-gelu"]
"""GELU by the error function, by its approximation with tanh, or x · sigmoid(1.702 x)."""
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)
ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)


def height_and_width(image: ImageSize) -> tuple[int, int]:
    """Return height and width of an image."""
    return (image, image) if isinstance(image, int) else image


def image_text(image: ImageSize) -> str:
    """Return the size of an image for a message: ``224``, or ``96 x 128``."""
    return str(image) if isinstance(image, int) else f"{image[0]} x {image[1]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ViTConfig:
    """Everything that fixes the shapes of a :class:`~partition.model.VisionTransformer`.

    Attributes:
        image: side of a square input, or height and width, in pixels.
        channels: input channels.
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
        registers: tokens that no head reads (Darcet et al. 2024), after those that one reads.
        class_token: whether there is a class token.
        pooling: what the head reads.
        pre_norm: whether there is a norm before the blocks, as CLIP has.
        activation: of the feed-forward layers.
        norm_epsilon: what every norm adds to the variance.
    """

    image: ImageSize = 224
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
    registers: int = 0
    class_token: bool = True
    pooling: Pooling = "token"
    pre_norm: bool = False
    activation: Activation = "gelu"
    norm_epsilon: float = 1e-6

    def __post_init__(self) -> None:
        if isinstance(self.image, tuple) and len(self.image) == 2 and len(set(self.image)) == 1:
            object.__setattr__(self, "image", self.image[0])
        self._check_sizes()
        self._check_kind()
        reach = self.patch << len(self.stem)
        if any(side % reach for side in self.size):
            raise InputError(
                f"image size {image_text(self.image)} must be a multiple of {reach} "
                f"(patch {self.patch} after {len(self.stem)} convolutions of stride 2)"
            )

    def _check_sizes(self) -> None:
        sides = self.image if isinstance(self.image, tuple) else (self.image,)
        if len(sides) > 2:
            raise InputError(f"model image must be a side, or height and width, not {sides}")
        sizes = [("image", side) for side in sides]
        sizes += [(name, getattr(self, name)) for name in _SIZES]
        for name, value in sizes:
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise InputError(f"model {name} must be a whole number of at least 1, not {value}")
            if value > (most := DEEPEST if name == "depth" else LARGEST):
                raise InputError(f"model {name} must be at most {most:,}, not {value}")
        if any(isinstance(width, bool) or not 1 <= width <= LARGEST for width in self.stem):
            raise InputError(f"model stem must list channel counts of at least 1, not {self.stem}")
        registers = self.registers
        if type(registers) is not int or not 0 <= registers <= DEEPEST:
            raise InputError(f"model registers must be from 0 to {DEEPEST:,}, not {registers}")

    def _check_kind(self) -> None:
        for name in ("distilled", "class_token", "pre_norm"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"model {name} must be true or false, not {getattr(self, name)}")
        for name, known in (("pooling", POOLINGS), ("activation", ACTIVATIONS)):
            if getattr(self, name) not in known:
                raise InputError(
                    f"model {name} must be one of {', '.join(known)}, not {getattr(self, name)}"
                )
        if type(self.norm_epsilon) is not float or not 0 < self.norm_epsilon < 1:
            raise InputError(f"model norm_epsilon must be between 0 and 1, not {self.norm_epsilon}")
        if not self.class_token and (self.distilled or self.pooling == "token"):
            raise InputError("model without a class token needs pooling: mean or mean-first")
        if self.distilled and self.pooling != "token":
            raise InputError("model distilled reads its tokens: pooling must be token")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the input, in pixels."""
        return height_and_width(self.image)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        height, width = self.size
        reach = self.patch << len(self.stem)
        return height // reach, width // reach

    @property
    def patches(self) -> int:
        """Patches of an image."""
        rows, columns = self.grid
        return rows * columns

    @property
    def feature_tokens(self) -> int:
        """Vectors of the residual width that the heads read, and that a part sends."""
        return 2 if self.distilled else 1

    @property
    def prefix_tokens(self) -> int:
        """Tokens before the patches: class token, distillation token, registers."""
        return self.class_token + self.distilled + self.registers

    @property
    def tokens(self) -> int:
        """Tokens that the blocks see: patches and prefix."""
        return self.patches + self.prefix_tokens

    @property
    def attention_width(self) -> int:
        """Query dimensions of all heads together."""
        return self.heads * self.head_width

    def with_(self, **changes: Any) -> ViTConfig:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-able values; those of few models only where they have them."""
        values = asdict(self) | {"stem": list(self.stem)}
        if isinstance(self.image, tuple):
            values["image"] = list(self.image)
        for name in _OF_FEW:
            if values[name] == ViTConfig.__dataclass_fields__[name].default:
                del values[name]
        return values

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
        image = values.get("image", 224)
        image = tuple(image) if isinstance(image, list) else image
        return ViTConfig(**{**values, "stem": tuple(stem), "image": image})


_SIZES = (
    "channels", "patch", "width", "depth", "heads", "head_width", "mlp_width", "classes",
)  # fmt: skip
_OF_FEW = ("registers", "class_token", "pooling", "pre_norm", "activation", "norm_epsilon")


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
