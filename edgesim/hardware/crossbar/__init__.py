"""Photonic crossbars: tensor cores in which light multiplies two matrices that both change."""

from edgesim.hardware.crossbar.device import PhotonicCrossbar
from edgesim.hardware.crossbar.layers import Layer

__all__ = ["Layer", "PhotonicCrossbar"]
