"""Tiles on the plane of a modulator: which images, channels and kernels share a frame."""

from optics.tiling.axis import Axis
from optics.tiling.layout import Frame, Layout, Rectangle, Split
from optics.tiling.planner import KINDS, Kind, plan, side_by_side, tiles, usable_plane
from optics.tiling.shape import ConvShape, Padding, Pair

__all__ = [
    "KINDS",
    "Axis",
    "ConvShape",
    "Frame",
    "Kind",
    "Layout",
    "Padding",
    "Pair",
    "Rectangle",
    "Split",
    "plan",
    "side_by_side",
    "tiles",
    "usable_plane",
]
