"""The version of edgesim, written into every result."""

__version__ = "0.1.0"
