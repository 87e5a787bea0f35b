"""Convolution layers on a 4f system, in place of those of torch."""

from optics.layers.calibration import Calibration, calibrate
from optics.layers.conv import OpticalConv2d
from optics.layers.conversion import Conversion, convert, revert
from optics.layers.functional import Road, SaturationWarning, optical_conv2d
from optics.layers.measure import time_model
from optics.layers.quality import SignalWarning, expected_snr_db
from optics.physical import Bench

__all__ = [
    "Bench",
    "Calibration",
    "Conversion",
    "OpticalConv2d",
    "Road",
    "SaturationWarning",
    "SignalWarning",
    "calibrate",
    "convert",
    "expected_snr_db",
    "optical_conv2d",
    "revert",
    "time_model",
]
