"""The planner: the mixture of tilings with the fewest frames on a plane; imports no torch."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from optics.checks import pixel_counts
from optics.errors import InputError
from optics.system import FourF
from optics.tiling.layout import Layout, Split
from optics.tiling.shape import ConvShape, Pair

Kind = Literal["images", "channels", "kernels", "groups"]
"""What may lie side by side: batch tiling, channel tiling, kernel tiling, and groups."""

KINDS: tuple[Kind, ...] = get_args(Kind)
"""All kinds."""


def plan(
    shape: ConvShape, plane: Pair, *, passes: int = 1, along: Collection[Kind] = KINDS
) -> Layout:
    """Return the layout with the fewest frames among all mixtures of tilings.

    Of those with equally many frames it takes the one with the fewest partial sums for the
    electronics to add, then the fewest filters, then the fewest tiles. Exact: it weighs every
    mixture that no other covers.

    Args:
        shape: shape of the convolution.
        plane: pixels (rows, columns) of the input plane.
        passes: exposures that the sign scheme takes for each frame.
        along: kinds that may lie side by side; of the others one is in each frame.

    Raises:
        InputError: one image with its guard band of N - 1 pixels is larger than the plane, or
            ``along`` names no kind.
    """
    pixel_counts("plane", "pixels", plane)
    unknown = set(along) - set(KINDS)
    if unknown:
        raise InputError(f"along takes {', '.join(KINDS)}; got {', '.join(sorted(unknown))}")
    if shape.batch < 1:
        raise InputError("a layout needs at least one image; got an empty batch")
    return Layout(
        shape=shape, plane=plane, split=_best(shape, plane, frozenset(along)), passes=passes
    )


def tiles(shape: ConvShape, plane: Pair) -> int:
    """Return how many images with their guard bands a plane holds, ⌊R/(M+N-1)⌋² if square."""
    return (plane[0] // shape.full[0]) * (plane[1] // shape.full[1])


@lru_cache(maxsize=4096)
def _best(shape: ConvShape, plane: Pair, along: frozenset[Kind]) -> Split:
    slots = plane[0] // shape.full[0], plane[1] // shape.full[1]
    if min(slots) < 1:
        (m, n), (a, b) = shape.size, shape.extent
        raise InputError(
            f"an image of {m}x{n} with a kernel of {a}x{b} takes {shape.full[0]}x{shape.full[1]} "
            f"pixels with its guard band, but the plane has {plane[0]}x{plane[1]}; the rest would "
            "wrap around: take a larger plane, or smaller images or kernels"
        )
    most = (
        shape.in_group if "channels" in along else 1,
        shape.out_group if "kernels" in along else 1,
        shape.batch if "images" in along else 1,
    )
    wanted = shape.in_group, shape.out_group, shape.batch
    pairs = shape.in_group * shape.out_group * shape.batch
    best: tuple[tuple[int, ...], Split] | None = None
    for groups in _group_tilings(shape.groups if "groups" in along else 1, slots):
        inside = slots[0] // groups[0] ** 2, slots[1] // groups[1] ** 2
        rounds = -(-shape.groups // (groups[0] * groups[1]))
        least = rounds * -(-pairs // (inside[0] * inside[1]))
        if best is not None and least > best[0][0]:
            continue
        key, (channels, kernels, images) = _mixture(inside, most, wanted)
        area = groups[0] ** 2 * groups[1] ** 2
        found = (rounds * key[0], key[1], rounds * key[2], area * key[3])
        if best is None or found < best[0]:
            split = Split(groups=groups, channels=channels, images=images, kernels=kernels)
            best = found, split
    assert best is not None
    return _compact(best[1], shape)


def _compact(split: Split, shape: ConvShape) -> Split:
    """Return a split of as many in each frame on the fewest tiles, as square as they can be.

    Light near the axis meets less of what lenses and pixels do wrong.
    """
    rows, columns = (
        side * groups**2 for side, groups in zip(shape.full, split.groups, strict=True)
    )
    made: dict[str, Pair] = {}
    kinds = {"images": shape.batch, "kernels": shape.out_group, "channels": shape.in_group}
    for kind, wanted in sorted(kinds.items(), key=lambda item: -item[1]):
        most: Pair = getattr(split, kind)
        choices = [most]
        if most[0] * most[1] >= wanted:
            counts = ((down, -(-wanted // down)) for down in range(1, most[0] + 1))
            choices = [(down, right) for down, right in counts if right <= most[1]]
        down, right = min(choices, key=lambda c: (c[0] * c[1], max(rows * c[0], columns * c[1]), c))
        rows, columns = rows * down, columns * right
        made[kind] = down, right
    return replace(split, **made)


def _group_tilings(groups: int, slots: Pair) -> list[Pair]:
    """Return (rows, columns) of groups that fit, none larger than a smaller one of equal use."""
    found = []
    row = 1
    while row**2 <= slots[0] and row <= groups:
        column = 1
        while column**2 <= slots[1] and row * (column - 1) < groups:
            found.append((row, column))
            column += 1
        row += 1
    return sorted(found, key=lambda pair: -pair[0] * pair[1])


def _mixture(
    slots: Pair, most: tuple[int, int, int], wanted: tuple[int, int, int]
) -> tuple[tuple[int, int, int, int], tuple[Pair, Pair, Pair]]:
    """Return (frames, partial sums, filters, tiles) of one group's best mixture, and it."""
    rows, columns = _covers(slots[0], most), _covers(slots[1], most)
    # Rounds of each kind for every (row mixture, column mixture). Numbers this small divide
    # exactly in floating point where they divide at all, and do so faster than integers.
    channels, kernels, images = (
        np.ceil(n / (rows[kind][:, None] * columns[kind])) for kind, n in enumerate(wanted)
    )
    filters = channels * kernels
    frames = filters * images
    tied = np.flatnonzero(frames == frames.min())
    tied = tied[channels.flat[tied] == channels.flat[tied].min()]
    tied = tied[filters.flat[tied] == filters.flat[tied].min()]
    row, column = np.divmod(tied, columns.shape[1])
    box = rows[:, row], columns[:, column]
    # A frame need not hold more than there is: of equals, the mixture that takes the fewest tiles.
    total = np.array(wanted)[:, None]
    down = np.minimum(box[0], np.ceil(total / box[1]))
    right = np.minimum(box[1], np.ceil(total / down))
    area = down.prod(0) * right.prod(0)
    first = int(area.argmin())
    chosen = tuple((int(a), int(b)) for a, b in zip(*(side[:, first] for side in box), strict=True))
    at = tied[first]
    key = int(frames.flat[at]), int(channels.flat[at]), int(filters.flat[at]), int(area[first])
    return key, (chosen[0], chosen[1], chosen[2])


@lru_cache(maxsize=4096)
def _covers(slots: int, most: tuple[int, int, int]) -> NDArray[np.float64]:
    """Return mixtures, (3, mixtures) of channels, kernels, images, that no other one covers."""
    found = []
    for channels in range(1, min(slots, most[0]) + 1):
        for kernels in range(1, min(slots // channels, most[1]) + 1):
            images = min(slots // (channels * kernels), most[2])
            more_channels = channels < most[0] and (channels + 1) * kernels * images <= slots
            more_kernels = kernels < most[1] and channels * (kernels + 1) * images <= slots
            if not more_channels and not more_kernels:
                found.append((channels, kernels, images))
    return np.array(found, dtype=np.float64).T.copy()


def usable_plane(system: FourF) -> Pair:
    """Return (rows, columns) of the input modulator that a layout on ``system`` may span.

    The least, on each axis, of

    - the input modulator's pixels;
    - what the camera sees, camera size / (input pitch x magnification);
    - the widest impulse response that the filter's pixels sample, λ f1 / filter pitch (a kernel
      further from the axis than half of that has a spectrum finer than the filter's pixels).

    :func:`side_by_side` gives the kinds that may lie side by side there.
    """
    camera_m = system.input.pitch_m * abs(system.magnification)
    response_m = system.laser.wavelength_m * system.lens_1.focal_length_m / system.filter.pitch_m
    rows, columns = (
        min(
            system.input.pixels[axis],
            _whole(system.camera.size_m[axis] / camera_m),
            _whole(response_m / system.input.pitch_m),
        )
        for axis in (0, 1)
    )
    return rows, columns


def side_by_side(system: FourF) -> tuple[Kind, ...]:
    """Return what may lie side by side on ``system`` without loss.

    A filter sends its result off the axis, beside undiffracted light, if it sets amplitudes alone
    (mirrors, amplitude displays), where a twin lies opposite, or phases with crosstalk, whose
    patterns have a carrier. The window there holds one kernel: kernels, channels or groups side by
    side would reach into that light. Images side by side share one kernel, whose response is as
    small as it was.
    """
    part = system.filter
    off_axis = part.blurs_phases or part.kind in ("dmd", "lcos-amplitude")
    return ("images",) if off_axis else KINDS


def _whole(pixels: float) -> int:
    # Quotients of pitches that are whole in print may fall short by a rounding error.
    return max(1, math.floor(pixels * (1 + 1e-9)))
