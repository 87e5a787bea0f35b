"""Convolution layers on a 4f system, in place of those of torch."""

from optics.layers.conv import OpticalConv2d
from optics.layers.convert import Conversion, convert, revert
from optics.layers.functional import Road, optical_conv2d
from optics.layers.measure import time_model

__all__ = [
    "Conversion",
    "OpticalConv2d",
    "Road",
    "convert",
    "optical_conv2d",
    "revert",
    "time_model",
]
