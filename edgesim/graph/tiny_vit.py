"""TinyViT (arXiv 2207.10666), as timm builds it."""

from __future__ import annotations

from edgesim.graph.builder import Builder, Size
from edgesim.graph.graph import Graph
from edgesim.graph.layers import add, conv_norm, gelu, head, mix, mlp, norm
from edgesim.graph.op import OpKind


def tiny_vit(
    name: str,
    *,
    classes: int = 1000,
    image_size: int = 224,
    channels: int = 3,
    depths: tuple[int, ...],
    widths: tuple[int, ...],
    heads: tuple[int, ...],
    windows: tuple[int, ...],
) -> Graph:
    """Return a TinyViT: inverted residuals first, then stages of attention inside windows.

    A block has attention with a learned bias by distance, a 3x3 depthwise convolution and a
    feed-forward layer. Where windows do not tile the map, it is padded. ``heads`` and ``windows``
    are those of the stages after the first.
    """
    build = Builder(name, (channels, image_size, image_size))
    size = (image_size, image_size)
    stream, size = conv_norm(
        build, "patch_embed.conv1", "", (channels, widths[0] // 2), size, kernel=3, stride=2,
        act=gelu,
    )  # fmt: skip
    stream, size = conv_norm(
        build, "patch_embed.conv2", stream, (widths[0] // 2, widths[0]), size, kernel=3, stride=2
    )
    for index in range(depths[0]):
        stream = _inverted(build, f"stages.0.blocks.{index}", stream, size, widths[0])
    for stage in range(1, len(depths)):
        width = widths[stage]
        stream, size = _merge(
            build, f"stages.{stage}.downsample", stream, size, (widths[stage - 1], width)
        )
        for index in range(depths[stage]):
            block = f"stages.{stage}.blocks.{index}"
            shape = (width, heads[stage - 1], windows[stage - 1])
            stream = _attention(build, block, stream, size, shape)
            stream, _ = conv_norm(
                build, f"{block}.local_conv", stream, (width, width), size, kernel=3, groups=width
            )
            branch = norm(build, f"{block}.mlp.norm", stream, width)
            branch = mlp(build, f"{block}.mlp", branch, size[0] * size[1], width, 4 * width)
            stream = add(build, f"{block}.add2", branch, stream)
    head(build, stream, widths[-1], classes, normed=True)
    return build.graph()


def _inverted(build: Builder, name: str, stream: str, size: Size, width: int) -> str:
    hidden = 4 * width
    branch, _ = conv_norm(build, f"{name}.conv1", stream, (width, hidden), size, act=gelu)
    branch, _ = conv_norm(
        build, f"{name}.conv2", branch, (hidden, hidden), size, kernel=3, groups=hidden,
        act=gelu,
    )  # fmt: skip
    branch, _ = conv_norm(build, f"{name}.conv3", branch, (hidden, width), size)
    return gelu(build, f"{name}.act3", add(build, f"{name}.add", branch, stream))


def _merge(
    build: Builder, name: str, stream: str, size: Size, channels: tuple[int, int]
) -> tuple[str, Size]:
    width = channels[1]
    stream, size = conv_norm(build, f"{name}.conv1", stream, channels, size, act=gelu)
    stream, size = conv_norm(
        build, f"{name}.conv2", stream, (width, width), size, kernel=3, stride=2, groups=width,
        act=gelu,
    )  # fmt: skip
    return conv_norm(build, f"{name}.conv3", stream, (width, width), size)


def _attention(
    build: Builder, name: str, stream: str, size: Size, shape: tuple[int, int, int]
) -> str:
    width, heads, window = shape
    across, down = (-(-edge // window) for edge in size)
    padded, tokens = across * down * window**2, size[0] * size[1]
    branch = stream
    if padded != tokens:
        branch = build.pointwise(
            f"{name}.pad", OpKind.MEMORY, (branch,), output_elements=padded * width
        )
    if across * down > 1:
        branch = build.pointwise(f"{name}.partition", OpKind.MEMORY, (branch,))
    branch = norm(build, f"{name}.attn.norm", branch, width)
    qkv = build.linear(f"{name}.attn.qkv", (branch,), rows=padded, features=(width, 3 * width))
    mixed = mix(
        build, f"{name}.attn", qkv, qkv, heads=heads * across * down, rows=window**2,
        columns=window**2, head_width=width // heads, bias=heads * window**2,
    )  # fmt: skip
    branch = build.linear(f"{name}.attn.proj", (mixed,), rows=padded, features=(width, width))
    if across * down > 1:
        branch = build.pointwise(f"{name}.reverse", OpKind.MEMORY, (branch,))
    if padded != tokens:
        branch = build.pointwise(
            f"{name}.crop", OpKind.MEMORY, (branch,), output_elements=tokens * width
        )
    return add(build, f"{name}.add1", branch, stream)
