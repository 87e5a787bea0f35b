"""Layers that several architectures share."""

from __future__ import annotations

from collections.abc import Callable

from edgesim.graph.builder import Builder, Size
from edgesim.graph.op import OpKind

Nonlinearity = Callable[[Builder, str, str], str]
LayerName = str | tuple[str, str, str]
"""Name of a convolution with what follows it, or the names of all three operators."""


def norm(build: Builder, name: str, stream: str, width: int) -> str:
    """Add a layer normalisation with scale and shift of ``width`` channels."""
    return build.pointwise(name, OpKind.NORM, (stream,), params=2 * width)


def batch_norm(build: Builder, name: str, stream: str, width: int) -> str:
    """Add a batch normalisation with scale and shift of ``width`` channels."""
    return build.pointwise(name, OpKind.BATCHNORM, (stream,), params=2 * width)


def activation(build: Builder, name: str, stream: str) -> str:
    """Add ReLU, hard-swish or another nonlinearity of comparisons and products."""
    return build.pointwise(name, OpKind.ACTIVATION, (stream,))


def gelu(build: Builder, name: str, stream: str) -> str:
    """Add GELU."""
    return build.pointwise(name, OpKind.TRANSCENDENTAL, (stream,))


def add(build: Builder, name: str, branch: str, stream: str) -> str:
    """Add the sum of a branch and the stream that it left."""
    return build.pointwise(name, OpKind.ELEMENTWISE, (branch, stream))


def scale(build: Builder, name: str, stream: str, width: int) -> str:
    """Add a learned factor for each of ``width`` channels."""
    return build.pointwise(name, OpKind.ELEMENTWISE, (stream,), params=width)


def mlp(build: Builder, name: str, stream: str, rows: int, width: int, hidden: int) -> str:
    """Add the feed-forward layer of a transformer: linear, GELU, linear."""
    stream = build.linear(f"{name}.fc1", (stream,), rows=rows, features=(width, hidden))
    stream = gelu(build, f"{name}.act", stream)
    return build.linear(f"{name}.fc2", (stream,), rows=rows, features=(hidden, width))


def mix(
    build: Builder,
    name: str,
    query: str,
    keys: str,
    *,
    heads: int,
    rows: int,
    columns: int,
    head_width: int,
    value_width: int | None = None,
    bias: int = 0,
) -> str:
    """Add softmax(Q Kᵀ + bias) V of ``heads`` heads; return what mixes the values.

    Args:
        build: builder of the graph.
        name: name of the attention.
        query: operator that makes Q.
        keys: operator that makes K and V.
        heads: times windows, where attention stays inside windows.
        rows: queries of each.
        columns: keys of each.
        head_width: number of channels of queries and keys of a head.
        value_width: number of channels of values; that of keys unless given.
        bias: learned parameters that are added to Q Kᵀ.
    """
    sources = (query,) if query == keys else (query, keys)
    scores = build.product(f"{name}.qk", sources, count=heads, shape=(rows, head_width, columns))
    weights = build.pointwise(f"{name}.softmax", OpKind.SOFTMAX, (scores,), params=bias)
    shape = (rows, columns, value_width or head_width)
    return build.product(f"{name}.av", (weights, keys), count=heads, shape=shape)


def attention(
    build: Builder,
    name: str,
    stream: str,
    width: int,
    *,
    heads: int,
    rows: int,
    head_width: int,
    value_width: int | None = None,
    windows: int = 1,
    bias: int = 0,
    qkv_bias: bool = True,
) -> str:
    """Add self-attention: one linear layer to Q, K and V, their mix, and a linear layer back.

    Args:
        build: builder of the graph.
        name: name of the attention.
        stream: operator that it reads.
        width: channels of what it reads and writes.
        heads: heads of each window.
        rows: tokens of each window.
        head_width: number of channels of queries and keys of a head.
        value_width: number of channels of values; that of keys unless given.
        windows: windows that attention stays inside.
        bias: learned parameters that are added to Q Kᵀ.
        qkv_bias: whether the layer to Q, K and V has a bias.
    """
    value_width = value_width or head_width
    qkv = build.linear(
        f"{name}.qkv", (stream,), rows=windows * rows,
        features=(width, heads * (2 * head_width + value_width)), bias=qkv_bias,
    )  # fmt: skip
    mixed = mix(
        build, name, qkv, qkv, heads=heads * windows, rows=rows, columns=rows,
        head_width=head_width, value_width=value_width, bias=bias,
    )  # fmt: skip
    features = (heads * value_width, width)
    return build.linear(f"{name}.proj", (mixed,), rows=windows * rows, features=features)


def feed_forward(build: Builder, name: str, stream: str, rows: int, width: int, hidden: int) -> str:
    """Add the second half of a pre-norm block: normalisation, feed-forward layer, residual sum."""
    branch = norm(build, f"{name}.norm2", stream, width)
    branch = mlp(build, f"{name}.mlp", branch, rows, width, hidden)
    return add(build, f"{name}.add2", branch, stream)


def into_windows(
    build: Builder, name: str, stream: str, size: Size, window: int, width: int
) -> tuple[str, int]:
    """Pad a map where windows do not tile it, and divide it; return the number of windows."""
    windows = -(-size[0] // window) * -(-size[1] // window)
    if (padded := windows * window**2) != size[0] * size[1]:
        stream = build.pointwise(
            f"{name}.pad", OpKind.MEMORY, (stream,), output_elements=padded * width
        )
    if windows > 1:
        stream = build.pointwise(f"{name}.partition", OpKind.MEMORY, (stream,))
    return stream, windows


def from_windows(
    build: Builder, name: str, stream: str, size: Size, window: int, windows: int, width: int
) -> str:
    """Join the windows of a map again, and crop what was padded."""
    tokens = size[0] * size[1]
    if windows > 1:
        stream = build.pointwise(f"{name}.reverse", OpKind.MEMORY, (stream,))
    if windows * window**2 != tokens:
        stream = build.pointwise(
            f"{name}.crop", OpKind.MEMORY, (stream,), output_elements=tokens * width
        )
    return stream


def embed_patches(
    build: Builder, name: str, stream: str, channels: tuple[int, int], patch: int, size: Size
) -> tuple[str, Size]:
    """Add a linear layer on patches: a convolution whose stride is its kernel.

    An empty ``stream`` is the model's input.
    """
    return build.conv(
        name, (stream,) if stream else (), channels=channels, kernel=patch, stride=patch,
        in_size=size, bias=True,
    )  # fmt: skip


def conv_norm(
    build: Builder,
    name: LayerName,
    stream: str,
    channels: tuple[int, int],
    size: Size,
    *,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
    bias: bool = False,
    act: Nonlinearity | None = None,
) -> tuple[str, Size]:
    """Add a padded convolution with batch normalisation and, where given, a nonlinearity.

    An empty ``stream`` is the model's input. ``name`` is of all three, or the names of each.
    """
    if isinstance(name, str):
        name = f"{name}.conv", f"{name}.norm", f"{name}.act"
    stream, size = build.conv(
        name[0], (stream,) if stream else (), channels=channels, kernel=kernel,
        stride=stride, padding=kernel // 2, groups=groups, in_size=size, bias=bias,
    )  # fmt: skip
    stream = batch_norm(build, name[1], stream, channels[1])
    return (act(build, name[2], stream) if act else stream), size


def two_heads(build: Builder, stream: str, width: int, classes: int) -> None:
    """Add two linear classifiers, whose answers are averaged at inference."""
    first, second = (
        build.linear(name, (stream,), rows=1, features=(width, classes))
        for name in ("head", "head_dist")
    )
    build.pointwise("mean", OpKind.ELEMENTWISE, (first, second))


def head(
    build: Builder,
    stream: str,
    width: int,
    classes: int,
    *,
    normed: bool = False,
    names: tuple[str, str] = ("head.global_pool", "head.fc"),
) -> None:
    """Add global pooling, a normalisation after it where ``normed``, and a linear classifier."""
    stream = build.pointwise(names[0], OpKind.POOL, (stream,), output_elements=width)
    if normed:
        stream = norm(build, "head.norm", stream, width)
    if classes:
        build.linear(names[1], (stream,), rows=1, features=(width, classes))
