"""Kernels on real modulators: drives that show a target spectrum."""

from optics.encoding.encoding import Encoding
from optics.encoding.methods import METHODS, Method, encode
from optics.encoding.window import Window

__all__ = ["METHODS", "Encoding", "Method", "Window", "encode"]
