"""ConvShareViT (arXiv 2504.11517): a ViT whose linear layers are convolutions of its tokens."""

from __future__ import annotations

from math import prod

from edgesim.common.errors import InputError
from edgesim.graph.builder import Builder
from edgesim.graph.graph import Graph
from edgesim.graph.layers import add, embed_patches, gelu, mix, norm
from edgesim.graph.op import ConvGeometry, Op, OpKind
from optics.convshare.config import ConvShareConfig
from optics.convshare.token_conv import Mixing, TokenConv
from optics.errors import InputError as OpticsInputError


def convshare(
    build: Builder,
    *,
    classes: int,
    patch_size: int = 8,
    token_map: tuple[int, int] = (8, 8),
    depth: int = 8,
    heads: int = 4,
    mlp_ratio: int = 2,
    mixing: Mixing = "shared-valid",
) -> Graph:
    """Return a ConvShareViT, all of whose layers mix in one way, as `optics.convshare` builds it.

    Args:
        build: builder of the graph, with a square input.
        classes: outputs; 0 leaves the head out, and the output is the class token's features.
        patch_size: side of the square patches, in pixels.
        token_map: (rows, columns) of a token; their product is the width.
        depth: blocks.
        heads: attention heads of each block.
        mlp_ratio: hidden maps of the MLP for each map of a token.
        mixing: of tokens' numbers, in all four layers of a block.

    A kernel that all tokens share and that covers the map is a row of a matrix: such a layer is a
    linear one for a processor, and a valid convolution of as many images as tokens for light. Its
    multiply-accumulates, parameters and sizes are those of the linear layer.

    Raises:
        InputError: sizes that do not divide.
    """
    try:
        config = ConvShareConfig(
            image=build.in_size[0], channels=build.channels, patch=patch_size, map=token_map,
            depth=depth, heads=heads, mlp_ratio=mlp_ratio, classes=max(classes, 1), qkv=mixing,
            projection=mixing, mlp=mixing,
        )  # fmt: skip
    except OpticsInputError as error:
        raise InputError(f"model '{build.name}': {error}") from None
    width, tokens = config.width, config.tokens
    channels = (build.channels, width)
    stream, _ = embed_patches(build, "patch_embed.proj", "", channels, patch_size, build.in_size)
    stream = build.pointwise(
        "pos_embed",
        OpKind.ELEMENTWISE,
        (stream,),
        params=(1 + tokens) * width,
        output_elements=tokens * width,
    )
    for index in range(depth):
        stream = _block(build, f"blocks.{index}", stream, config)
    stream = norm(build, "norm", stream, width)
    stream = build.pointwise("tokens", OpKind.MEMORY, (stream,), output_elements=width)
    if classes:
        build.linear("head", (stream,), rows=1, features=(width, classes))
    return build.graph()


def _block(build: Builder, name: str, stream: str, config: ConvShareConfig) -> str:
    """Add a pre-norm block; both products of attention depend on the image and stay products."""
    width, tokens, heads = config.width, config.tokens, config.heads
    layers = config.layers()
    normed = norm(build, f"{name}.norm1", stream, width)
    qkv = _mix(build, f"{name}.attn.qkv", normed, layers["attn.qkv"])
    mixed = mix(
        build, f"{name}.attn", qkv, qkv, heads=heads, rows=tokens, columns=tokens,
        head_width=width // heads,
    )  # fmt: skip
    projected = _mix(build, f"{name}.attn.proj", mixed, layers["attn.proj"])
    stream = add(build, f"{name}.add1", projected, stream)
    normed = norm(build, f"{name}.norm2", stream, width)
    hidden = _mix(build, f"{name}.mlp.fc1", normed, layers["mlp.fc1"])
    hidden = gelu(build, f"{name}.mlp.act", hidden)
    out = _mix(build, f"{name}.mlp.fc2", hidden, layers["mlp.fc2"])
    return add(build, f"{name}.add2", out, stream)


def _mix(build: Builder, name: str, source: str, layer: TokenConv) -> str:
    """Add a layer of tokens."""
    shape = layer.shape(1)
    if shape is None:
        features = (layer.inputs, layer.outputs)
        return build.linear(name, (source,), rows=layer.tokens, features=features)
    (top, _), (left, _) = shape.padding
    rows, columns = shape.out_size
    op = Op(
        name=name,
        kind=_kind(layer),
        macs=shape.batch * rows * columns * prod(layer.weight),
        params=prod(layer.weight) + layer.weight[0],
        input_elements=layer.tokens * layer.inputs,
        output_elements=layer.tokens * layer.outputs,
        geometry=ConvGeometry(
            in_channels=shape.in_channels,
            out_channels=shape.out_channels,
            kernel=shape.kernel,
            stride=shape.stride,
            padding=(top, left),
            dilation=shape.dilation,
            groups=shape.groups,
            in_size=shape.size,
            out_size=shape.out_size,
            images=shape.batch,
        ),
    )
    return build.add(op, (source,))


def _kind(layer: TokenConv) -> OpKind:
    """Return what a processor sees: kernels of one token's own are groups of its channels."""
    if layer.shared:
        return OpKind.LINEAR if layer.covers else OpKind.CONV
    return OpKind.DEPTHWISE if layer.channels[0] == 1 else OpKind.CONV
