"""Models as graphs of operators."""

from edgesim.graph.graph import Graph, fingerprint, once_per_graph
from edgesim.graph.op import BYTES_PER_ELEMENT, ConvGeometry, MatmulGeometry, Op, OpKind

__all__ = [
    "BYTES_PER_ELEMENT",
    "ConvGeometry",
    "Graph",
    "MatmulGeometry",
    "Op",
    "OpKind",
    "fingerprint",
    "once_per_graph",
]
