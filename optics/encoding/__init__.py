"""Kernels on real modulators: what to show so that light sees the wanted spectrum."""

from optics.encoding.encoding import Encoding
from optics.encoding.methods import METHODS, Method, encode
from optics.encoding.window import Window

__all__ = ["METHODS", "Encoding", "Method", "Window", "encode"]
