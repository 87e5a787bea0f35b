"""What fixes the shapes of a ConvShareViT; imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from optics.checks import pixel_counts
from optics.convshare.token_conv import MIXINGS, Mixing, TokenConv
from optics.errors import InputError
from optics.tiling.shape import ConvShape, Pair, pair

__all__ = ["MIXINGS", "ConvShareConfig", "Mixing"]

SAME_KERNEL = (3, 3)
"""Default kernel of ``same`` convolutions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvShareConfig:
    """Everything that fixes the shapes of a :class:`~optics.convshare.ConvShareViT`.

    With all three mixings ``linear`` it is a plain ViT.

    Attributes:
        image: side of a square image, in pixels.
        channels: channels of an image.
        patch: side of a patch, in pixels.
        map: (rows, columns) of a token; their product is the width d of the model. They need not
            be equal, so that any width of a ViT fits.
        depth: blocks.
        heads: heads of attention; each takes d / heads consecutive numbers of a token, in rows.
        mlp_ratio: hidden maps of the MLP for each map of a token.
        classes: numbers that come out.
        qkv: mixing that makes queries, keys and values of tokens.
        projection: mixing that makes a token of the heads' results.
        mlp: mixing of both layers of the MLP.
        kernel: side, or (rows, columns), of all kernels; the whole map for ``valid`` and 3 for
            ``same`` by default.
        mlp_kernel: side, or (rows, columns), of the kernels of the MLP where they differ.

    Raises:
        InputError: sizes that do not divide, an unknown mixing, or kernels that do not fit.
    """

    image: int = 28
    channels: int = 1
    patch: int = 4
    map: Pair = (8, 8)
    depth: int = 4
    heads: int = 4
    mlp_ratio: int = 2
    classes: int = 10
    qkv: Mixing = "shared-valid"
    projection: Mixing = "shared-valid"
    mlp: Mixing = "shared-valid"
    kernel: int | Pair | None = None
    mlp_kernel: int | Pair | None = None

    def __post_init__(self) -> None:
        for name in ("image", "channels", "patch", "depth", "heads", "mlp_ratio", "classes"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"{name} is a whole number of at least 1; got {value!r}")
        pixel_counts("model", "map", self.map)
        if self.image % self.patch:
            raise InputError(
                f"patches tile the image; got {self.image} pixels and patches of {self.patch}: "
                f"take a patch of {_dividing(self.image, self.patch)}, or resize the images"
            )
        if self.width % self.heads:
            raise InputError(
                f"heads share the {self.width} numbers of a token (map {self.map[0]}x"
                f"{self.map[1]}) evenly; got {self.heads} heads: take "
                f"{_dividing(self.width, self.heads)}"
            )
        self.layers()  # each refuses what does not fit

    @property
    def width(self) -> int:
        """Numbers of a token, d."""
        return self.map[0] * self.map[1]

    @property
    def hidden(self) -> int:
        """Numbers of a token between the layers of the MLP."""
        return self.width * self.mlp_ratio

    @property
    def patches(self) -> int:
        """Patches of an image."""
        return (self.image // self.patch) ** 2

    @property
    def tokens(self) -> int:
        """Patches and the class token."""
        return self.patches + 1

    def layers(self) -> dict[str, TokenConv]:
        """Return the four mixing layers of a block, by their name in it."""
        width, hidden = self.width, self.hidden
        mlp_kernel = self.kernel if self.mlp_kernel is None else self.mlp_kernel
        layers: dict[str, tuple[Mixing, int, int, int | Pair | None]] = {
            "attn.qkv": (self.qkv, width, 3 * width, self.kernel),
            "attn.proj": (self.projection, width, width, self.kernel),
            "mlp.fc1": (self.mlp, width, hidden, mlp_kernel),
            "mlp.fc2": (self.mlp, hidden, width, mlp_kernel),
        }
        return {
            name: TokenConv(
                name=name,
                mixing=mixing,
                map=self.map,
                tokens=self.tokens,
                inputs=inputs,
                outputs=outputs,
                kernel=self._kernel(mixing, kernel),
            )
            for name, (mixing, inputs, outputs, kernel) in layers.items()
        }

    def _kernel(self, mixing: Mixing, kernel: int | Pair | None) -> Pair:
        if mixing == "linear":
            return 0, 0
        if kernel is None:
            return SAME_KERNEL if mixing.endswith("same") else self.map
        return pair(kernel, "kernel")


def _dividing(whole: int, near: int) -> str:
    """Return the divisors of ``whole`` on both sides of ``near``, or the one there is."""
    divisors = [n for n in range(1, whole + 1) if whole % n == 0]
    below, above = [n for n in divisors if n < near], [n for n in divisors if n > near]
    return " or ".join(str(n) for n in (*below[-1:], *above[:1]))


def shapes(config: ConvShareConfig, batch: int) -> dict[str, ConvShape]:
    """Return the shape of every convolution of a model by its name, in the order of their calls.

    The first cuts images into patches: a convolution too, of which a stride keeps few outputs.

    Args:
        config: configuration of the model.
        batch: images.

    Raises:
        InputError: no image.
    """
    if batch < 1:
        raise InputError(f"a batch has at least one image; got {batch}")
    patch = (config.patch, config.patch)
    found = {
        "patch_embed.proj": ConvShape(
            batch=batch,
            in_channels=config.channels,
            out_channels=config.width,
            size=(config.image, config.image),
            kernel=patch,
            stride=patch,
        )
    }
    for index in range(config.depth):
        for name, layer in config.layers().items():
            shape = layer.shape(batch)
            if shape is not None:
                found[f"blocks.{index}.{name}"] = shape
    return found


def parameters_count(config: ConvShareConfig) -> int:
    """Return how many numbers a model learns."""
    width = config.width
    norms = 2 * width
    block = 2 * norms + sum(
        prod(layer.weight) + layer.weight[0] for layer in config.layers().values()
    )
    embedding = width * (config.channels * config.patch**2 + 1) + width * (1 + config.tokens)
    return embedding + config.depth * block + norms + config.classes * (width + 1)
