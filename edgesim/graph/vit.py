"""Vision Transformers: ViT (arXiv 2010.11929) and DeiT (arXiv 2012.12877), as timm builds them."""

from __future__ import annotations

from itertools import pairwise

from edgesim.common.errors import InputError
from edgesim.graph.builder import Builder
from edgesim.graph.graph import Graph
from edgesim.graph.op import OpKind


def vit(
    name: str,
    *,
    classes: int = 1000,
    image_size: int = 224,
    patch_size: int = 16,
    channels: int = 3,
    width: int,
    depth: int,
    heads: int,
    head_width: int | None = None,
    mlp_width: int | None = None,
    distilled: bool = False,
    stem: tuple[int, ...] = (),
) -> Graph:
    """Return a Vision Transformer with class token, learned positions and pre-norm blocks.

    Args:
        name: name of the graph.
        classes: outputs; 0 leaves the head out, and the output is the class token's features.
        image_size: height and width of the square input, in pixels.
        patch_size: of the square patches, in pixels; must divide the size of what it is given.
        channels: number of channels of the input image.
        width: residual width.
        depth: blocks.
        heads: attention heads of each block.
        head_width: number of channels of each head; ``width / heads`` unless given.
        mlp_width: feed-forward width; four times the residual width unless given.
        distilled: DeiT's distillation token and second head.
        stem: output channels of 3 x 3 convolutions of stride 2, each with an activation, that
            stand before the patches (arXiv 2106.14881); none in the plain ViT.

    With n tokens, width d, attention width a = heads x head width and feed-forward width m, a
    block takes n (4 d a + 2 d m) + 2 n² a multiply-accumulates.

    Raises:
        InputError: the patches do not tile the image, or the heads do not divide the width.
    """
    reach = patch_size << len(stem)
    if image_size % reach:
        after = f" after {len(stem)} halvings" if stem else ""
        raise InputError(
            f"model '{name}': patches of {patch_size} pixels{after} do not tile an image of "
            f"{image_size}; choose an image size that is a multiple of {reach}"
        )
    if head_width is None:
        if width % heads:
            raise InputError(
                f"model '{name}': {heads} heads do not divide the width {width}; give head_width"
            )
        head_width = width // heads
    mlp_width = 4 * width if mlp_width is None else mlp_width
    build = Builder(name, (channels, image_size, image_size))
    side = image_size // reach
    extra = 2 if distilled else 1
    tokens = side * side + extra
    image, size = _stem(build, channels, image_size, stem)
    stream, _ = build.conv(
        "patch_embed.proj",
        image,
        channels=((channels, *stem)[-1], width),
        kernel=patch_size,
        stride=patch_size,
        in_size=size,
        bias=True,
    )
    stream = build.pointwise(
        "pos_embed",
        OpKind.ELEMENTWISE,
        (stream,),
        params=(extra + tokens) * width,
        output_elements=tokens * width,
    )
    for index in range(depth):
        stream = block(
            build, f"blocks.{index}", stream, tokens, width, (heads, head_width), mlp_width
        )
    stream = build.pointwise("norm", OpKind.NORM, (stream,), params=2 * width)
    stream = build.pointwise("tokens", OpKind.MEMORY, (stream,), output_elements=extra * width)
    if classes:
        _heads(build, stream, width, classes, distilled)
    return build.graph()


def _stem(
    build: Builder, channels: int, image_size: int, widths: tuple[int, ...]
) -> tuple[tuple[str, ...], tuple[int, int]]:
    """Add the convolutions before the patches; return what reads on from where, and its size."""
    image: tuple[str, ...] = ()
    size = (image_size, image_size)
    for index, pair in enumerate(pairwise((channels, *widths))):
        name = f"patch_embed.backbone.{index}"
        stream, size = build.conv(
            name, image, channels=pair, kernel=3, stride=2, padding=1, in_size=size, bias=True
        )
        image = (build.pointwise(f"{name}.act", OpKind.TRANSCENDENTAL, (stream,)),)
    return image, size


def block(
    build: Builder,
    name: str,
    stream: str,
    tokens: int,
    width: int,
    attention: tuple[int, int],
    mlp_width: int,
) -> str:
    """Add a pre-norm block: attention of (heads, head width), then a feed-forward layer."""
    heads, head_width = attention
    inner = heads * head_width
    norm = build.pointwise(f"{name}.norm1", OpKind.NORM, (stream,), params=2 * width)
    qkv = build.linear(f"{name}.attn.qkv", (norm,), rows=tokens, features=(width, 3 * inner))
    scores = build.product(
        f"{name}.attn.qk", (qkv,), count=heads, shape=(tokens, head_width, tokens)
    )
    weights = build.pointwise(f"{name}.attn.softmax", OpKind.SOFTMAX, (scores,))
    mixed = build.product(
        f"{name}.attn.av", (weights, qkv), count=heads, shape=(tokens, tokens, head_width)
    )
    projected = build.linear(f"{name}.attn.proj", (mixed,), rows=tokens, features=(inner, width))
    stream = build.pointwise(f"{name}.add1", OpKind.ELEMENTWISE, (projected, stream))
    norm = build.pointwise(f"{name}.norm2", OpKind.NORM, (stream,), params=2 * width)
    hidden = build.linear(f"{name}.mlp.fc1", (norm,), rows=tokens, features=(width, mlp_width))
    hidden = build.pointwise(f"{name}.mlp.act", OpKind.TRANSCENDENTAL, (hidden,))
    out = build.linear(f"{name}.mlp.fc2", (hidden,), rows=tokens, features=(mlp_width, width))
    return build.pointwise(f"{name}.add2", OpKind.ELEMENTWISE, (out, stream))


def _heads(build: Builder, stream: str, width: int, classes: int, distilled: bool) -> None:
    head = build.linear("head", (stream,), rows=1, features=(width, classes))
    if distilled:
        second = build.linear("head_dist", (stream,), rows=1, features=(width, classes))
        # At inference the two answers are averaged.
        build.pointwise("mean", OpKind.ELEMENTWISE, (head, second))
