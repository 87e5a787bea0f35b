"""The model: a Vision Transformer whose parameters have timm's names, and its mixing layers."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from optics.convshare.config import ConvShareConfig
from optics.convshare.token_conv import TokenConv
from optics.errors import InputError
from optics.tiling.shape import Pair


def create_mixing(layer: TokenConv) -> nn.Linear | nn.Conv2d:
    """Return the module of a layer, its parameters not set.

    A convolution is a plain ``torch.nn.Conv2d``, which :func:`optics.layers.convert` converts.
    """
    if layer.mixing == "linear":
        return nn.Linear(layer.inputs, layer.outputs, device="meta").to_empty(device="cpu")
    come, go = layer.channels
    return nn.Conv2d(
        come * layer.groups,
        go * layer.groups,
        layer.kernel,
        padding="same" if layer.same else "valid",
        groups=layer.groups,
        device="meta",
    ).to_empty(device="cpu")


def mix(layer: nn.Module, x: Tensor, size: Pair) -> Tensor:
    """Return (batch, tokens, outputs) of ``x`` (batch, tokens, inputs).

    Numbers of a token are ordered by map, row and column, before and after. A convolution in one
    group sees tokens as images of a batch, (batch tokens, maps, rows, columns); in several groups,
    as many as tokens, it sees them as channels, (batch, tokens maps, rows, columns).

    Args:
        layer: layer from :func:`create_mixing`, or the optical layer in its place.
        x: tokens.
        size: (rows, columns) of a map.
    """
    if not isinstance(layer, nn.Conv2d):
        return layer(x)  # type: ignore[no-any-return]
    if layer.training and type(layer) is nn.Conv2d and torch.is_grad_enabled():
        return _as_matrix(layer, x, size)
    return _as_images(layer, x, size)


def _as_images(layer: nn.Conv2d, x: Tensor, size: Pair) -> Tensor:
    batch, tokens, _ = x.shape
    rows = batch * tokens if layer.groups == 1 else batch
    maps: Tensor = layer(x.reshape(rows, -1, *size))
    return maps.reshape(batch, tokens, -1)


def _as_matrix(layer: nn.Conv2d, x: Tensor, size: Pair) -> Tensor:
    """Return the same by the matrix that a convolution is; training takes a third of the time.

    Its columns are the convolutions of maps with a single 1. Derivatives of a convolution of
    thousands of small maps are slow on processors, those of a product are not.
    """
    tokens, inputs = x.shape[1:]
    weight, bias = layer.weight, layer.bias
    assert bias is not None
    per_token = weight.shape[0] // layer.groups
    if layer.groups == 1:
        units = torch.eye(inputs, dtype=x.dtype, device=x.device).view(inputs, -1, *size)
        matrix = functional.conv2d(units, weight, None, padding=layer.padding).flatten(1)
        numbers = matrix.shape[1] // per_token
        return functional.linear(x, matrix.t(), bias.repeat_interleave(numbers))
    if layer.kernel_size == size and layer.padding == "valid":
        kernels = weight.view(tokens, per_token, inputs)
        return torch.einsum("bti,toi->bto", x, kernels) + bias.view(tokens, per_token)
    return _as_images(layer, x, size)


NORM_EPSILON = 1e-6
"""Added to the variance in every layer norm, as timm does for ViT."""


class PatchEmbed(nn.Module):
    """One token a patch."""

    def __init__(self, config: ConvShareConfig) -> None:
        super().__init__()
        self.proj = nn.Conv2d(
            config.channels, config.width, config.patch, stride=config.patch, device="meta"
        ).to_empty(device="cpu")

    def forward(self, images: Tensor) -> Tensor:
        """Return (batch, patches, d) of (batch, channels, image, image)."""
        tokens: Tensor = self.proj(images).flatten(2).transpose(1, 2)
        return tokens


class Attention(nn.Module):
    """Multi-head self-attention, softmax(Q Kᵀ / √(d / heads)) V.

    Both products depend on the image and would need activations on the filter for each: they stay
    electronic.
    """

    def __init__(self, config: ConvShareConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.map = config.map
        layers = config.layers()
        self.qkv = create_mixing(layers["attn.qkv"])
        self.proj = create_mixing(layers["attn.proj"])

    def queries_keys_values(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return each as (batch, heads, tokens, d / heads) of ``x`` (batch, tokens, d)."""
        batch, tokens, width = x.shape
        mixed = mix(self.qkv, x, self.map)
        parts = mixed.view(batch, tokens, 3, self.heads, width // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        return q, k, v

    def weights(self, x: Tensor) -> Tensor:
        """Return how much each token looks at each, (batch, heads, tokens, tokens), rows of 1."""
        q, k, _ = self.queries_keys_values(x)
        products: Tensor = q @ k.transpose(-1, -2)
        return (products / math.sqrt(q.shape[-1])).softmax(-1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, tokens, d) of the same."""
        seen = functional.scaled_dot_product_attention(*self.queries_keys_values(x))
        return mix(self.proj, seen.transpose(1, 2).reshape(x.shape), self.map)


class Mlp(nn.Module):
    """Two layers with GELU between; the hidden numbers of a token are ``mlp_ratio`` maps."""

    def __init__(self, config: ConvShareConfig) -> None:
        super().__init__()
        self.map = config.map
        layers = config.layers()
        self.fc1 = create_mixing(layers["mlp.fc1"])
        self.fc2 = create_mixing(layers["mlp.fc2"])

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, tokens, d) of the same."""
        return mix(self.fc2, functional.gelu(mix(self.fc1, x, self.map)), self.map)


class Block(nn.Module):
    """Pre-norm block: x + attention(norm x), then x + mlp(norm x)."""

    def __init__(self, config: ConvShareConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, eps=NORM_EPSILON)
        self.attn = Attention(config)
        self.norm2 = nn.LayerNorm(config.width, eps=NORM_EPSILON)
        self.mlp = Mlp(config)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, tokens, d) of the same."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))  # type: ignore[no-any-return]


class ConvShareViT(nn.Module):
    """A Vision Transformer whose linear layers may be convolutions of tokens.

    :func:`optics.layers.convert` puts every convolution on light unchanged. Norms, softmax and
    the products of attention, GELU, sums of residuals and the head are electronic.

    Args:
        config: the shape.
        generator: generator that weights are drawn from; without one all weights are 0, to be
            loaded.

    Attributes:
        config: the shape.
    """

    def __init__(self, config: ConvShareConfig, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.patch_embed = PatchEmbed(config)
        self.cls_token = nn.Parameter(torch.empty(1, 1, config.width))
        self.pos_embed = nn.Parameter(torch.empty(1, config.tokens, config.width))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width, eps=NORM_EPSILON)
        self.head = nn.Linear(config.width, config.classes, device="meta").to_empty(device="cpu")
        self._draw(generator)

    @torch.no_grad()
    def _draw(self, generator: torch.Generator | None) -> None:
        """Draw weights that keep the variance of what they mix, whatever the mixing.

        Normal of 1 / fan-in, cut at two deviations: a k x k kernel of a narrow model would come to
        nothing at timm's 0.02, and a matrix and the kernels that equal it draw the same numbers.
        Positions are drawn at half the scale of patches, since at 0.02 tokens would have no place
        for the first epochs, which a short training cannot afford.
        """
        for name, parameter in self.named_parameters():
            if name.endswith("weight") and "norm" in name:
                parameter.fill_(1.0)
                continue
            if generator is None or name.endswith("bias"):
                parameter.zero_()
                continue
            if name == "pos_embed":
                deviation = 0.5
            elif parameter.ndim == 3 or name.startswith("head"):
                deviation = 0.02
            else:
                deviation = float(parameter[0].numel() ** -0.5)
            nn.init.trunc_normal_(
                parameter, 0.0, deviation, -2 * deviation, 2 * deviation, generator=generator
            )

    def embed(self, images: Tensor) -> Tensor:
        """Return (batch, tokens, d): the class token and the patches, each with its position.

        Raises:
            InputError: images of another shape than (batch, channels, image, image).
        """
        config = self.config
        if images.shape[1:] != (config.channels, config.image, config.image):
            raise InputError(
                f"images are (batch, {config.channels}, {config.image}, {config.image}); "
                f"got {tuple(images.shape)}: resize them, or build a model for their size"
            )
        patches = self.patch_embed(images)
        return torch.cat((self.cls_token.expand(len(images), -1, -1), patches), 1) + self.pos_embed

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (batch, classes) of images (batch, channels, image, image)."""
        x = self.embed(images)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])  # type: ignore[no-any-return]

    def attention(self, images: Tensor) -> Tensor:
        """Return how much tokens look at tokens, (depth, batch, heads, tokens, tokens).

        Each row, of the token that looks, sums to 1; token 0 is the class token.
        """
        x, seen = self.embed(images), []
        for block in self.blocks:
            assert isinstance(block, Block)
            seen.append(block.attn.weights(block.norm1(x)))
            x = block(x)
        return torch.stack(seen)
