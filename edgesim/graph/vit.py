"""Vision Transformers: ViT (arXiv 2010.11929) and DeiT (arXiv 2012.12877), as timm builds them."""

from __future__ import annotations

from itertools import pairwise

from edgesim.common.errors import InputError
from edgesim.graph.builder import Builder
from edgesim.graph.graph import Graph
from edgesim.graph.layers import add, attention, embed_patches, feed_forward, gelu, norm, two_heads
from edgesim.graph.op import OpKind


def vit(
    build: Builder,
    *,
    classes: int,
    patch_size: int = 16,
    width: int,
    depth: int,
    heads: int,
    head_width: int | None = None,
    mlp_width: int | None = None,
    distilled: bool = False,
    stem: tuple[int, ...] = (),
    registers: int = 0,
    class_token: bool = True,
    mean: bool = False,
    pre_norm: bool = False,
) -> Graph:
    """Return a Vision Transformer with class token, learned positions and pre-norm blocks.

    Args:
        build: builder of the graph, with its input.
        classes: outputs; 0 leaves the head out, and the output is the class token's features.
        patch_size: of the square patches, in pixels; must divide the size of what it is given.
        width: residual width.
        depth: blocks.
        heads: attention heads of each block.
        head_width: number of channels of each head; ``width / heads`` unless given.
        mlp_width: feed-forward width; four times the residual width unless given.
        distilled: DeiT's distillation token and second head.
        stem: output channels of 3 x 3 convolutions of stride 2, each with an activation, that
            stand before the patches (arXiv 2106.14881); none in the plain ViT.
        registers: tokens that no head reads (arXiv 2309.16588).
        class_token: whether there is a class token.
        mean: whether the head reads the mean of the patches, in place of the class token.
        pre_norm: whether there is a norm before the blocks (CLIP, arXiv 2103.00020).

    With n tokens, width d, attention width a = heads x head width and feed-forward width m, a
    block takes n (4 d a + 2 d m) + 2 n² a multiply-accumulates.

    Raises:
        InputError: the patches do not tile the image, or the heads do not divide the width.
    """
    reach, (rows, columns) = patch_size << len(stem), build.in_size
    if rows % reach or columns % reach:
        after = f" after {len(stem)} halvings" if stem else ""
        side = rows if rows == columns else f"{rows} x {columns}"
        raise InputError(
            f"model '{build.name}': patches of {patch_size} pixels{after} do not tile an image of "
            f"{side}; choose an image size that is a multiple of {reach}"
        )
    if head_width is None:
        if width % heads:
            raise InputError(
                f"model '{build.name}': {heads} heads do not divide the width {width}; "
                "give head_width"
            )
        head_width = width // heads
    mlp_width = 4 * width if mlp_width is None else mlp_width
    read = 2 if distilled else 1
    extra = class_token + distilled + registers
    tokens = (rows // reach) * (columns // reach) + extra
    stream, size, channels = "", build.in_size, (build.channels, *stem)
    for index, pair in enumerate(pairwise(channels)):
        stem_name = f"patch_embed.backbone.{index}"
        stream, size = build.conv(
            stem_name, (stream,) if stream else (), channels=pair, kernel=3, stride=2, padding=1,
            in_size=size, bias=True,
        )  # fmt: skip
        stream = gelu(build, f"{stem_name}.act", stream)
    stream, _ = embed_patches(
        build, "patch_embed.proj", stream, (channels[-1], width), patch_size, size
    )
    stream = build.pointwise(
        "pos_embed",
        OpKind.ELEMENTWISE,
        (stream,),
        params=(extra + tokens) * width,
        output_elements=tokens * width,
    )
    if pre_norm:
        stream = norm(build, "norm_pre", stream, width)
    for index in range(depth):
        stream = block(
            build, f"blocks.{index}", stream, tokens, width, (heads, head_width), mlp_width
        )
    stream = norm(build, "norm", stream, width)
    kind = OpKind.ELEMENTWISE if mean else OpKind.MEMORY
    stream = build.pointwise("tokens", kind, (stream,), output_elements=read * width)
    if classes and distilled:
        two_heads(build, stream, width, classes)
    elif classes:
        build.linear("head", (stream,), rows=1, features=(width, classes))
    return build.graph()


def block(
    build: Builder,
    name: str,
    stream: str,
    tokens: int,
    width: int,
    head_widths: tuple[int, int],
    mlp_width: int,
) -> str:
    """Add a pre-norm block: attention of (heads, head width), then a feed-forward layer."""
    heads, head_width = head_widths
    branch = norm(build, f"{name}.norm1", stream, width)
    branch = attention(
        build, f"{name}.attn", branch, width, heads=heads, rows=tokens, head_width=head_width
    )
    stream = add(build, f"{name}.add1", branch, stream)
    return feed_forward(build, name, stream, tokens, width, mlp_width)
