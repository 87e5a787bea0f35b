"""Layouts against what light does: everything on the plane meets everything in the filter."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import signal

from optics.errors import InputError
from optics.tiling import ConvShape, Layout, Rectangle, Split, plan

Plane = NDArray[np.float64]


def put(plane: Plane, where: Rectangle, values: Plane) -> None:
    """Write into a rectangle that must lie inside the plane and on nothing else."""
    rows, columns = where.size
    assert where.top >= 0
    assert where.left >= 0
    assert where.top + rows <= plane.shape[0]
    assert where.left + columns <= plane.shape[1]
    part = plane[where.top : where.top + rows, where.left : where.left + columns]
    assert not part.any()
    part += values


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    few = st.integers(1, 2)
    groups = draw(st.integers(1, 3))
    shape = ConvShape(
        batch=draw(st.integers(1, 4)),
        in_channels=groups * draw(st.integers(1, 4)),
        out_channels=groups * draw(st.integers(1, 4)),
        size=draw(st.tuples(st.integers(1, 4), st.integers(1, 4))),
        kernel=draw(st.tuples(st.integers(1, 2), st.integers(1, 2))),
        dilation=draw(st.tuples(few, few)),
        groups=groups,
        padding=((2, 2), (2, 2)),
    )
    both = st.tuples(few, few)
    split = Split(
        groups=draw(st.just((1, 1)) | both),
        channels=draw(both),
        images=draw(both),
        kernels=draw(st.tuples(st.integers(1, 3), few)),
    )
    needed = [
        (split.groups[n] ** 2 * split.channels[n] * split.images[n] * split.kernels[n])
        * shape.full[n]
        for n in (0, 1)
    ]
    spare = draw(st.tuples(st.integers(0, 5), st.integers(0, 5)))
    plane = needed[0] + spare[0], needed[1] + spare[1]
    return Layout(shape=shape, plane=plane, split=split)


@settings(max_examples=120)
@given(layout=layouts(), seed=st.integers(0, 2**32 - 1))
def test_only_wanted_products_land_on_wanted_places(layout: Layout, seed: int) -> None:
    """Both planes of every frame are convolved by scipy, linearly and wrapping around."""
    shape, generator = layout.shape, np.random.default_rng(seed)
    images = generator.normal(size=(shape.batch, shape.groups, shape.in_group, *shape.size))
    kernels = generator.normal(size=(shape.groups, shape.out_group, shape.in_group, *shape.extent))
    found = np.zeros((shape.batch, shape.groups, shape.out_group, *shape.full))
    frames = 0
    for frame in layout:
        plane, response, taken = np.zeros((3, *layout.plane))
        for where in layout.image_rectangles(frame):
            group, channel, image = where.index
            put(plane, where, images[image, group, channel])
        for where in layout.kernel_rectangles(frame):
            group, channel, kernel = where.index
            put(response, where, kernels[group, kernel, channel])
        middle = layout.plane[0] // 2, layout.plane[1] // 2
        linear = signal.convolve2d(plane, response)
        linear = linear[middle[0] :, middle[1] :][: layout.plane[0], : layout.plane[1]]
        wrapped = np.roll(
            np.fft.irfft2(np.fft.rfft2(plane) * np.fft.rfft2(response), s=plane.shape),
            (-middle[0], -middle[1]),
            (0, 1),
        )
        for where in layout.output_rectangles(frame):
            group, image, kernel = where.index
            put(taken, where, np.ones(where.size))
            window = np.s_[
                where.top : where.top + where.size[0], where.left : where.left + where.size[1]
            ]
            np.testing.assert_allclose(wrapped[window], linear[window], rtol=0, atol=1e-12)
            found[image, group, kernel] += linear[window]
        frames += 1
    assert frames * layout.passes == layout.frames
    for b, g, k in product(range(shape.batch), range(shape.groups), range(shape.out_group)):
        expected = sum(
            signal.convolve2d(images[b, g, c], kernels[g, k, c]) for c in range(shape.in_group)
        )
        np.testing.assert_allclose(found[b, g, k], expected, rtol=0, atol=1e-12)


def test_kernels_lie_evenly_about_the_axis() -> None:
    shape = ConvShape(batch=1, in_channels=1, out_channels=4, size=(6, 6), kernel=(3, 3))
    layout = Layout(shape=shape, plane=(40, 40), split=Split(kernels=(2, 2)))
    (frame,) = layout
    tops = sorted({where.top for where in layout.kernel_rectangles(frame)})
    # Tiles of 8 pixels: the first elements stand 4 to each side of 20, less half a kernel.
    assert tops == [15, 23]


def test_frames_go_through_images_before_they_change_the_filter() -> None:
    shape = ConvShape(batch=2, in_channels=2, out_channels=2, size=(4, 4), kernel=(3, 3))
    layout = Layout(shape=shape, plane=(6, 6), passes=3)
    order = [(f.channels[0], f.kernels[0], f.images[0], f.number) for f in layout]
    assert order == [(c, k, b, 4 * c + 2 * k + b) for c in (0, 1) for k in (0, 1) for b in (0, 1)]
    assert layout.frames == 24
    assert layout.partial_sums == 2
    assert layout.use == 16 / 36
    assert layout.pairs_per_frame == 1 / 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"plane": (5, 6)}, r"1 tiles of 4 \+ 3 - 1 = 6 pixels take 6 rows, but the plane has 5"),
        ({"split": Split(images=(1, 2))}, "take 12 columns, but the plane has 6"),
        ({"split": Split(groups=(2, 1))}, "take 24 rows"),
        ({"split": Split(kernels=(0, 1))}, "at least one of each"),
        ({"passes": 0}, "passes=0"),
        ({"plane": (6.0, 6)}, "two whole numbers"),
    ],
)
def test_layouts_that_wrap_are_refused(change: dict[str, Any], message: str) -> None:
    shape = ConvShape(batch=1, in_channels=1, out_channels=1, size=(4, 4), kernel=(3, 3))
    good: dict[str, Any] = {"shape": shape, "plane": (6, 6)}
    Layout(**good)
    with pytest.raises(InputError, match=message):
        Layout(**(good | change))


def test_a_kernel_larger_than_the_plane_is_refused() -> None:
    shape = ConvShape(batch=1, in_channels=1, out_channels=1, size=(40, 40), kernel=(33, 3))
    with pytest.raises(InputError, match="takes 72x42 pixels with its guard band"):
        plan(shape, (64, 64))
