"""Overlaps, orders and traffic against plays of every exposure and against arithmetic by hand."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise, product
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from optics.errors import InputError
from optics.presets import preset
from optics.system import FourF, Host
from optics.tiling import ConvShape, Layout, Split, usable_plane
from optics.timing import Order, Timing, time_layer

SHAPE = ConvShape(batch=2, in_channels=2, out_channels=3, size=(4, 4), kernel=(3, 3))


def small(**changes: Any) -> FourF:
    """An ideal system of 12 x 12 pixels with changed parts: ``input_load_s=1`` and so on."""
    system = FourF.ideal((12, 12))
    for name, value in changes.items():
        part, _, figure = name.partition("_")
        system = replace(system, **{part: replace(getattr(system, part), **{figure: value})})
    return system


def patterns(layout: Layout, filter_passes: int, input_passes: int) -> list[tuple[Any, Any]]:
    """What the (input, filter) show in every exposure, told one after another."""
    rest = layout.passes // (filter_passes * input_passes)
    by_filter: dict[Any, list[Any]] = {}
    for frame in layout:
        by_filter.setdefault((frame.groups, frame.channels, frame.kernels), []).append(frame.images)
    return [
        ((groups, channels, images, sign), (groups, channels, kernels, kernel_sign))
        for (groups, channels, kernels), all_images in by_filter.items()
        for kernel_sign in range(filter_passes)
        for images, sign, _ in product(all_images, range(input_passes), range(rest))
    ]


@st.composite
def layouts(draw: st.DrawFn) -> tuple[Layout, int, int]:
    few = st.integers(1, 3)
    groups = draw(st.integers(1, 2))
    shape = ConvShape(
        batch=draw(few), in_channels=groups * draw(few), out_channels=groups * draw(few),
        size=(1, 1), kernel=(1, 1), groups=groups,
    )  # fmt: skip
    split = Split(channels=(1, draw(few)), images=(1, draw(few)), kernels=(1, draw(few)))
    filters, inputs, rest = draw(few), draw(few), draw(few)
    return Layout(shape=shape, plane=(1, 27), split=split, passes=filters * inputs * rest), *(
        filters,
        inputs,
    )


@settings(max_examples=150)
@given(case=layouts())
def test_order_counts_every_change_of_a_pattern(case: tuple[Layout, int, int]) -> None:
    layout, filters, inputs = case
    order = Order.of(layout, filter_passes=filters, input_passes=inputs)
    shown = patterns(layout, filters, inputs)
    assert order.exposures == layout.frames == len(shown)
    changes = [
        1 + sum(before[part] != after[part] for before, after in pairwise(shown)) for part in (0, 1)
    ]
    assert [order.input_loads, order.filter_loads] == changes


ROUNDS = 5  # from the third on, what a layer finds no longer changes


def play(system: FourF, layout: Layout, filter_passes: int, input_passes: int) -> float:
    """Play every exposure of layers alike, one after another; return the time that the last took.

    The first begins with idle parts; what it leaves behind is what each layer finds from then on.
    """
    parts, camera = (system.input, system.filter), system.camera
    period_s = max(
        camera.frame_time_s,
        max(camera.exposure_s, camera.readout_s)
        if camera.overlapped_readout
        else camera.exposure_s + camera.readout_s,
    )
    darks_s = [part.settle_s + part.load_s * (not part.double_buffered) for part in parts]
    holds_s = [
        max(part.frame_time_s, part.load_s, dark_s)
        for part, dark_s in zip(parts, darks_s, strict=True)
    ]
    updated, shown = [-math.inf, -math.inf], (None, None)
    exposed, dark_from = -math.inf, 0.0
    shots = patterns(layout, filter_passes, input_passes)
    starts = []
    for number, (layer, shot) in enumerate(product(range(ROUNDS), shots)):
        now = (layer, shot[0]), (layer, shot[1])
        changed = [n for n in (0, 1) if now[n] != shown[n]]
        if changed:  # both at the same moment
            begins = max(dark_from, *(updated[n] + holds_s[n] for n in changed))
            dark_from = begins + max(darks_s[n] for n in changed)
            for n in changed:
                updated[n] = begins
        shown = now
        exposed = max(dark_from, exposed + period_s)
        if number % len(shots) == 0:
            # Not the update before it: one that waits for nothing runs ahead of a slow camera.
            starts.append(exposed)
        dark_from = exposed + camera.exposure_s
    return starts[-1] - starts[-2]


times_s = st.sampled_from([0.0, 1.0, 2.0, 3.0, 5.0, 8.0])


@settings(max_examples=300)
@given(
    case=layouts(),
    parts=st.tuples(*[st.tuples(times_s, times_s, times_s, st.booleans())] * 2),
    exposure_s=st.sampled_from([1.0, 2.0, 4.0]),
    readout_s=times_s,
    overlapped=st.booleans(),
)
@example(
    case=(
        Layout(
            shape=ConvShape(batch=1, in_channels=1, out_channels=1, size=(1, 1), kernel=(1, 1)),
            plane=(1, 27), split=Split(), passes=1,
        ),
        1, 1,
    ),
    parts=((0.0, 0.0, 0.0, False), (5.0, 0.0, 0.0, False)),
    exposure_s=1.0, readout_s=5.0, overlapped=False,
)  # fmt: skip
def test_optics_take_what_a_play_of_every_exposure_takes(
    case: tuple[Layout, int, int],
    parts: Any,
    exposure_s: float,
    readout_s: float,
    overlapped: bool,
) -> None:
    layout, filters, inputs = case
    system = small(
        camera_exposure_s=exposure_s,
        camera_readout_s=readout_s,
        camera_overlapped_readout=overlapped,
    )
    for name, (frame_s, load_s, settle_s, double) in zip(("input", "filter"), parts, strict=True):
        part = replace(
            getattr(system, name),
            frame_time_s=frame_s, load_s=load_s, settle_s=settle_s, double_buffered=double,
        )  # fmt: skip
        system = replace(system, **{name: part})
    timing = time_layer(system, layout, filter_passes=filters, input_passes=inputs)
    assert timing.optics_s == pytest.approx(play(system, layout, filters, inputs), rel=1e-12)


def one_pass(system: FourF, **arguments: Any) -> Timing:
    """Two images on one filter, one after another, on a plane of one tile."""
    shape = replace(SHAPE, in_channels=1, out_channels=1)
    return time_layer(system, Layout(shape=shape, plane=(6, 6)), **arguments)


@pytest.mark.parametrize(
    ("changes", "frame_s", "bottleneck"),
    [
        ({}, 1.0, "camera"),
        ({"camera_readout_s": 3.0}, 3.0, "camera"),
        ({"camera_readout_s": 3.0, "camera_overlapped_readout": False}, 4.0, "camera"),
        ({"camera_frame_time_s": 5.0}, 5.0, "camera"),
        ({"input_settle_s": 2.0}, 3.0, "light"),
        ({"input_load_s": 2.0}, 2.0, "input"),
        ({"input_load_s": 2.0, "input_double_buffered": False}, 3.0, "light"),
        ({"input_frame_time_s": 7.0}, 7.0, "input"),
        # The filter stays for two frames, so that it costs half a frame each.
        ({"filter_settle_s": 2.0}, 2.0, "light"),
        ({"filter_load_s": 8.0}, 4.0, "filter"),
        ({"filter_frame_time_s": 2.0}, 1.0, "camera"),
    ],
)
def test_overlaps_by_hand(changes: dict[str, Any], frame_s: float, bottleneck: str) -> None:
    timing = one_pass(small(**changes))
    assert timing.exposures == 2
    assert timing.frame_s == pytest.approx(frame_s)
    assert timing.bottleneck == bottleneck


def test_first_load_and_last_readout_are_counted_once() -> None:
    timing = one_pass(small(input_load_s=0.5, filter_load_s=0.75, camera_readout_s=0.25))
    assert timing.optics_s == pytest.approx(2.0)
    assert timing.total_s == pytest.approx(2.0 + 0.75 + 0.25)


def test_link_optics_and_host_are_a_pipeline() -> None:
    system = replace(small(), link_bytes_s=100.0, host=Host(flop_s=10.0))
    timing = one_pass(system)
    stages = [timing.link_out_s, timing.optics_s, timing.link_in_s, timing.host_s]
    done = [0.0] * len(stages)
    for _ in range(timing.exposures):  # a stage takes an exposure after the stage before it
        before = 0.0
        for n, stage in enumerate(stages):
            done[n] = before = max(before, done[n]) + stage / timing.exposures
    assert timing.total_s == pytest.approx(done[-1], rel=1e-12)
    assert timing.serial_s == pytest.approx(sum(stages))
    assert timing.bottleneck == "link out"


def test_traffic_by_hand() -> None:
    system = small(input_bits=8, filter_bits=3, camera_bits=12)
    whole = one_pass(system).traffic
    # Two patterns of images and one filter, of 144 pixels each; two frames.
    assert (whole.input_pixels, whole.filter_pixels, whole.camera_pixels) == (288, 144, 288)
    assert whole.out_bytes == 288 + 54
    assert whole.in_bytes == 432
    # Two outputs of 2 x 2, three operations each; two images of 4 x 4, two operations a pixel.
    assert whole.host_flop == 2 * 4 * 3 + 2 * 16 * 2
    used = one_pass(system, whole_frames=False).traffic
    # Images of 4 x 4, tiles of 6 x 6; a filter is whole always.
    assert (used.input_pixels, used.filter_pixels, used.camera_pixels) == (32, 144, 72)
    assert (used.out_bytes, used.in_bytes) == (32 + 54, 108)
    # Filters of a memory of their own are written all the same, but not sent.
    stored = one_pass(system, stored_kernels=True).traffic
    assert (stored.out_bytes, stored.filter_pixels) == (288, 144)
    # Without steps a number has 32 bits, and a complex pixel two numbers.
    free = one_pass(small()).traffic
    assert (free.out_bytes, free.in_bytes) == (8 * (288 + 144), 4 * 288)


def test_images_that_stay_are_sent_once() -> None:
    # One image in one frame, three kernels one after another: the filter changes, the image stays.
    shape = replace(SHAPE, batch=1, in_channels=1)
    layout = Layout(shape=shape, plane=(6, 6), passes=2)
    timing = time_layer(small(input_load_s=100.0), layout)
    assert (timing.order.input_loads, timing.order.filter_loads) == (1, 6)
    used = time_layer(small(), layout, whole_frames=False).traffic
    assert used.input_pixels == 16
    # Sign passes of the input load it anew.
    assert time_layer(small(), layout, filter_passes=1, input_passes=2).order.input_loads == 6


def test_partial_sums_and_passes_cost_the_host() -> None:
    shape = replace(SHAPE, batch=1)
    flops = [
        time_layer(small(), Layout(shape=shape, plane=(6, 6), passes=passes)).traffic.host_flop
        for passes in (1, 2)
    ]
    # Two channels one after another: two detected maps of 2 x 2 for each of three outputs.
    assert flops == [3 * 4 * 3 * 2 + 2 * 32, 3 * 4 * 3 * 2 * 2 + 2 * 32]


def test_plane_that_a_system_serves() -> None:
    assert usable_plane(FourF.ideal((40, 30))) == (40, 30)
    # Input and filter of 13.68 um, f = 250 mm, 532 nm: λ f / pitch² = 710.7 pixels.
    assert usable_plane(preset("dmd-dlp7000")) == (710, 710)
    # The camera of 1536 x 2048 pixels of 3.45 um sees 662 x 883 pixels of 8 um.
    assert usable_plane(preset("lcos-pluto")) == (662, 883)


@pytest.mark.parametrize("passes", [(3, 1), (1, 4), (0, 1), (2, 2)])
def test_passes_must_divide(passes: tuple[int, int]) -> None:
    layout = Layout(shape=SHAPE, plane=(12, 12), passes=2)
    with pytest.raises(InputError, match="must divide the layout's 2 passes"):
        Order.of(layout, filter_passes=passes[0], input_passes=passes[1])


def test_starts_without_torch() -> None:
    code = "import sys, optics.timing, optics.presets\nsys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
