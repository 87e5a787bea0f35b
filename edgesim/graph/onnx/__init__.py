from edgesim.graph.onnx.read import read

__all__ = ["read"]
