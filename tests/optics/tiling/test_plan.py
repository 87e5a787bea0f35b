"""The planner against brute force, against figures in print, and without torch."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optics.errors import InputError
from optics.tiling import KINDS, ConvShape, Kind, Layout, Split, plan, tiles


def every_split(slots: tuple[int, int], kinds: frozenset[str]) -> list[Split]:
    """All mixtures whatever that fit a plane of ``slots`` tiles."""
    sides = []
    for slot in slots:
        counts = range(1, slot + 1)
        some = {kind: counts if kind in kinds else range(1, 2) for kind in KINDS}
        sides.append(
            [
                (g, c, b, k)
                for g, c, b, k in product(
                    some["groups"], some["channels"], some["images"], some["kernels"]
                )
                if g * g * c * b * k <= slot
            ]
        )
    return [
        Split(
            groups=(rows[0], columns[0]),
            channels=(rows[1], columns[1]),
            images=(rows[2], columns[2]),
            kernels=(rows[3], columns[3]),
        )
        for rows, columns in product(*sides)
    ]


@settings(max_examples=60)
@given(
    slots=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    batch=st.integers(1, 9),
    channels=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    groups=st.integers(1, 6),
    kinds=st.frozensets(st.sampled_from(KINDS)) | st.just(frozenset(KINDS)),
)
def test_no_mixture_takes_fewer_frames(
    slots: tuple[int, int],
    batch: int,
    channels: tuple[int, int],
    groups: int,
    kinds: frozenset[Kind],
) -> None:
    shape = ConvShape(
        batch=batch,
        in_channels=groups * channels[0],
        out_channels=groups * channels[1],
        size=(3, 3),
        kernel=(2, 2),
        groups=groups,
    )
    plane = 4 * slots[0] + 3, 4 * slots[1] + 3
    assert tiles(shape, plane) == slots[0] * slots[1]
    chosen = plan(shape, plane, along=kinds)

    def cost(layout: Layout) -> tuple[int, int, int]:
        group, channel, _, kernel = layout.rounds
        return layout.frames, channel, group * channel * kernel

    least = min(
        cost(Layout(shape=shape, plane=plane, split=split)) for split in every_split(slots, kinds)
    )
    assert cost(chosen) == least
    # No mixture at all brings more pairs into a frame than there are tiles.
    assert chosen.frames * slots[0] * slots[1] >= shape.batch * shape.pairs


def test_fatnet_images_per_frame() -> None:
    # FatNet (arXiv 2210.16914): n = floor(R / (M + N - 1))^2 = 3136 for R 2160, M 32, N 7.
    shape = ConvShape(batch=3136, in_channels=1, out_channels=1, size=(32, 32), kernel=(7, 7))
    assert tiles(shape, (2160, 2160)) == 3136
    assert plan(shape, (2160, 2160), along=["images"]).frames == 1
    more = ConvShape(batch=3137, in_channels=1, out_channels=1, size=(32, 32), kernel=(7, 7))
    assert plan(more, (2160, 2160)).frames == 2


def resnet18_layers() -> list[ConvShape]:
    """ResNet-18 as FatNet counts it: no projection on shortcuts, 32 x 32 images."""
    layers = [(3, 64, 32)]
    for width, side in ((64, 32), (128, 16), (256, 8), (512, 4)):
        before = layers[-1][1]
        layers += [(before, width, side)] + [(width, width, side)] * 3
    return [
        ConvShape(
            batch=64, in_channels=i, out_channels=o, size=(m, m), kernel=(3, 3),
            padding=((1, 1), (1, 1)),
        )
        for i, o, m in layers
    ]  # fmt: skip


def test_resnet18_frames_in_print() -> None:
    layers = resnet18_layers()
    assert sum(layer.pairs for layer in layers) == 1_220_800
    # Batch tiling alone: one pair of channels a frame, whatever the batch up to the tiles.
    planned = [plan(layer, (2160, 2160), along=["images"]) for layer in layers]
    assert sum(layout.frames for layout in planned) == 1_220_800
    mixed = [plan(layer, (2160, 2160)) for layer in layers]
    assert sum(layout.frames for layout in mixed) < 1_220_800 / 40
    for layout in mixed:
        assert layout.frames >= layout.shape.batch * layout.shape.pairs / tiles(
            layout.shape, layout.plane
        )


def test_groups_side_by_side_spare_frames_of_a_depthwise_layer() -> None:
    shape = ConvShape(
        batch=1, in_channels=96, out_channels=96, size=(32, 32), kernel=(7, 7), groups=96
    )
    assert plan(shape, (2160, 2160), along=["images", "channels", "kernels"]).frames == 96
    # 56 tiles a side hold 7 groups a side, since 7² <= 56: 49 groups a frame.
    assert plan(shape, (2160, 2160)).frames == 2


def test_passes_multiply_frames() -> None:
    shape = ConvShape(batch=5, in_channels=3, out_channels=4, size=(8, 8), kernel=(3, 3))
    assert plan(shape, (64, 64), passes=4).frames == 4 * plan(shape, (64, 64)).frames


def test_tiles_that_nothing_would_fill_are_not_kept() -> None:
    # 6 images and 4 kernels on 8 x 8 tiles of 18 pixels; light near the axis is the best.
    shape = ConvShape(batch=6, in_channels=1, out_channels=4, size=(16, 16), kernel=(3, 3))
    layout = plan(shape, (160, 160))
    assert layout.frames == 1
    assert layout.split.images[0] * layout.split.images[1] == 6
    assert layout.split.kernels[0] * layout.split.kernels[1] == 4
    assert plan(replace(shape, batch=16, out_channels=1), (700, 700)).split.images == (4, 4)
    (frame,) = layout
    for rectangles in (layout.image_rectangles(frame), layout.output_rectangles(frame)):
        for first, size in (("top", 0), ("left", 1)):
            starts = [getattr(where, first) for where in rectangles]
            middle = (min(starts) + max(starts) + rectangles[0].size[size]) / 2
            assert abs(middle - 80) <= 1


def test_planner_starts_without_torch() -> None:
    code = (
        "import sys, optics, optics.tiling, optics.system, optics.errors\n"
        "from optics.tiling import ConvShape, plan\n"
        "shape = ConvShape(batch=1, in_channels=1, out_channels=1, size=(4, 4), kernel=(3, 3))\n"
        "plan(shape, (64, 64))\n"
        "sys.exit(any(sys.modules.get(name) for name in ('torch', 'scipy', 'pandas')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_bad_input() -> None:
    shape = ConvShape(batch=0, in_channels=1, out_channels=1, size=(4, 4), kernel=(3, 3))
    with pytest.raises(InputError, match="empty batch"):
        plan(shape, (64, 64))
    with pytest.raises(InputError, match="along takes images, channels, kernels, groups; got rows"):
        plan(shape, (64, 64), along=["rows"])  # type: ignore[list-item]
    with pytest.raises(InputError, match="two whole numbers"):
        plan(shape, (64, 0))
