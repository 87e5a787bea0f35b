from edgesim.graph.compress.spec import Arithmetic, BitWidths, Compression, Sparsity, Tokens
from edgesim.graph.compress.transform import compress

__all__ = ["Arithmetic", "BitWidths", "Compression", "Sparsity", "Tokens", "compress"]
