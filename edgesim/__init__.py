"""edgesim: latency and energy of vision models on edge clusters and optical accelerators."""

from edgesim.version import __version__

__all__ = ["__version__"]
