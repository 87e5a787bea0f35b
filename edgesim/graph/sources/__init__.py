"""Models from anywhere: the catalog, timm, a torch module, an exported program, a graph file."""

from edgesim.graph.sources.keys import BUILD_OPTIONS, SourceKeys
from edgesim.graph.sources.read import Source, SourceError, foreign, from_text, read
from edgesim.graph.sources.registry import SOURCES

__all__ = [
    "BUILD_OPTIONS",
    "SOURCES",
    "Source",
    "SourceError",
    "SourceKeys",
    "foreign",
    "from_text",
    "read",
]
