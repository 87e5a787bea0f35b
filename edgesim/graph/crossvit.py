"""CrossViT (arXiv 2103.14899), as timm builds it."""

from __future__ import annotations

from edgesim.common.errors import InputError
from edgesim.graph.builder import Builder
from edgesim.graph.graph import Graph
from edgesim.graph.layers import add, embed_patches, gelu, mix, norm
from edgesim.graph.op import OpKind
from edgesim.graph.vit import block


def crossvit(
    build: Builder,
    *,
    classes: int,
    widths: tuple[int, int],
    patches: tuple[int, int] = (12, 16),
    depths: tuple[int, int],
    heads: int,
    rounds: int,
) -> Graph:
    """Return a CrossViT: two ViTs of different patches whose class tokens visit each other.

    The second sees the image at 14/15 of its size (224 of 240). In each of the ``rounds`` every
    branch runs ``depths`` blocks, then its class token attends to the patches of the other. The
    two answers are averaged.

    Raises:
        InputError: the patches do not tile the two images.
    """
    side, _ = build.in_size
    sizes = (side, side * 14 // 15)
    if side % 15 or any(size % patch for size, patch in zip(sizes, patches, strict=True)):
        raise InputError(
            f"model '{build.name}': patches of {patches[0]} and {patches[1]} pixels do not tile "
            f"images of {sizes[0]} and {sizes[1]}; choose an image_size that is a multiple of 240"
        )
    elements = build.channels * sizes[1] ** 2
    resized = build.pointwise("resize", OpKind.POOL, (), output_elements=elements)
    streams, tokens = [], []
    for index, source in enumerate(("", resized)):
        size, patch, width = sizes[index], patches[index], widths[index]
        stream, grid = embed_patches(
            build, f"patch_embed.{index}.proj", source, (build.channels, width), patch, (size, size)
        )
        count = grid[0] * grid[1] + 1
        streams.append(
            build.pointwise(
                f"pos_embed_{index}",
                OpKind.ELEMENTWISE,
                (stream,),
                params=(count + 1) * width,
                output_elements=count * width,
            )
        )
        tokens.append(count)
    for turn in range(rounds):
        prefix = f"blocks.{turn}"
        for index, depth in enumerate(depths):
            for number in range(depth):
                width = widths[index]
                streams[index] = block(
                    build, f"{prefix}.blocks.{index}.{number}", streams[index], tokens[index],
                    width, (heads, width // heads), 4 * width,
                )  # fmt: skip
        streams = [
            _visit(
                build,
                f"{prefix}.fusion.{index}",
                (streams[index], streams[1 - index]),
                (widths[index], widths[1 - index]),
                (tokens[index], tokens[1 - index]),
                heads,
            )
            for index in range(2)
        ]
    answers = []
    for index, width in enumerate(widths):
        stream = norm(build, f"norm.{index}", streams[index], width)
        stream = build.pointwise(f"tokens.{index}", OpKind.MEMORY, (stream,), output_elements=width)
        if classes:
            stream = build.linear(f"head.{index}", (stream,), rows=1, features=(width, classes))
        answers.append(stream)
    if classes:
        build.pointwise("mean", OpKind.ELEMENTWISE, (answers[0], answers[1]))
    return build.graph()


def _visit(
    build: Builder,
    name: str,
    streams: tuple[str, str],
    widths: tuple[int, int],
    tokens: tuple[int, int],
    heads: int,
) -> str:
    """Let the class token of the first stream attend to the patches of the second."""
    (own, other), (width, other_width) = streams, widths
    guest = build.pointwise(f"{name}.cls", OpKind.MEMORY, (own,), output_elements=width)
    guest = _project(build, f"{name}.proj", guest, (width, other_width))
    together = build.pointwise(
        f"{name}.cat", OpKind.MEMORY, (guest, other), output_elements=tokens[1] * other_width
    )
    normed = norm(build, f"{name}.norm1", together, other_width)
    square = (other_width, other_width)
    query = build.linear(f"{name}.attn.wq", (normed,), rows=1, features=square)
    keys = build.linear(
        f"{name}.attn.wkv", (normed,), rows=tokens[1], features=(other_width, 2 * other_width)
    )
    mixed = mix(
        build, f"{name}.attn", query, keys, heads=heads, rows=1, columns=tokens[1],
        head_width=other_width // heads,
    )  # fmt: skip
    branch = build.linear(f"{name}.attn.out", (mixed,), rows=1, features=square)
    branch = add(build, f"{name}.add", branch, guest)
    branch = _project(build, f"{name}.revert", branch, (other_width, width))
    return build.pointwise(
        f"{name}.back", OpKind.MEMORY, (branch, own), output_elements=tokens[0] * width
    )


def _project(build: Builder, name: str, stream: str, features: tuple[int, int]) -> str:
    stream = norm(build, f"{name}.norm", stream, features[0])
    stream = gelu(build, f"{name}.act", stream)
    return build.linear(f"{name}.fc", (stream,), rows=1, features=features)
