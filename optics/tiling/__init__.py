"""Tiles on the plane of a modulator: which images, channels and kernels share a frame."""

from optics.tiling.shape import ConvShape, Padding, Pair

__all__ = ["ConvShape", "Padding", "Pair"]
