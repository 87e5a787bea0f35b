"""Filters that send their result off the axis: what may lie side by side before them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import pytest

from optics.errors import InputError
from optics.presets import preset
from optics.tiling import KINDS, ConvShape, Kind, plan, side_by_side, usable_plane
from optics.timing import time_network

SHAPE = ConvShape(batch=4, in_channels=3, out_channels=8, size=(16, 16), kernel=(3, 3))
MIRRORS = preset("dmd-dlp7000")


@pytest.mark.parametrize(
    ("along", "told"),
    [
        (KINDS, "channels, kernels, groups side by side"),
        (("images", "kernels"), "which kernels side by side"),
        (("channels",), "which channels side by side"),
    ],
)
def test_mixtures_that_mirrors_cannot_show_are_refused(along: Collection[Kind], told: str) -> None:
    with pytest.raises(InputError, match=rf"kind dmd .* {told} reach; expected along=\['images'\]"):
        time_network(MIRRORS, [SHAPE], along=along)


def test_mirrors_lay_images_side_by_side_unless_told() -> None:
    (usual,) = time_network(MIRRORS, [SHAPE]).layers
    # 3 x 8 pairs of channels, one after the other, all images at once, + and -.
    assert usual.layout.frames == 2 * 24
    assert usual.layout == plan(SHAPE, usable_plane(MIRRORS), passes=2, along=["images"])
    (alone,) = time_network(MIRRORS, [SHAPE], along=()).layers
    assert alone.layout.frames == 4 * 2 * 24


def test_filters_of_phases_without_crosstalk_show_any_mixture() -> None:
    pluto = preset("lcos-pluto")
    phases = replace(pluto, filter=replace(pluto.filter, crosstalk_px=0.0))
    assert side_by_side(phases) == KINDS
    (usual,) = time_network(phases, [SHAPE]).layers
    (all_kinds,) = time_network(phases, [SHAPE], along=KINDS).layers
    assert usual.layout == all_kinds.layout
    assert usual.layout.frames < 2 * 24


def test_patterns_of_phases_with_crosstalk_have_a_carrier_and_lay_images_alone() -> None:
    pluto = preset("lcos-pluto")
    assert side_by_side(pluto) == ("images",)
    (usual,) = time_network(pluto, [SHAPE]).layers
    assert usual.layout.frames == 2 * 3 * 8
    with pytest.raises(InputError, match=r"kind lcos-phase with crosstalk of 0.3 pixels .* groups"):
        time_network(pluto, [SHAPE], along=["images", "groups"])


def test_a_filter_of_real_amplitudes_has_a_twin_as_mirrors_have() -> None:
    amplitudes = replace(
        MIRRORS, filter=replace(MIRRORS.filter, kind="lcos-amplitude", bits=8, name="amplitudes")
    )
    assert side_by_side(amplitudes) == ("images",)
    with pytest.raises(InputError, match="amplitudes: a filter of kind lcos-amplitude"):
        time_network(amplitudes, [SHAPE], along=["groups"])


def test_an_unknown_kind_is_told_as_such() -> None:
    with pytest.raises(InputError, match="along takes images, channels, kernels, groups; got rows"):
        time_network(MIRRORS, [SHAPE], along=["rows"])  # type: ignore[list-item]
