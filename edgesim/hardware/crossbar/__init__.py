"""Photonic crossbars: tensor cores in which light multiplies two matrices that both change."""

from edgesim.hardware.crossbar.device import Layer, PhotonicCrossbar

__all__ = ["Layer", "PhotonicCrossbar"]
