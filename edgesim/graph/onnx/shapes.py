"""Shapes in an ONNX program, by onnx's own inference, and the small tensors that decide them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgesim.graph.trace_rules import Shape

_MOST = 1024
"""Elements of a tensor that is computed beforehand because it may be a shape."""
_FLOATS = 8
"""The same for floating-point numbers, such as scales of an image."""


class Inference:
    """Types of the tensors of a program, and the elements of those that are known beforehand.

    Args:
        model: `onnx.ModelProto`, whose operator sets hold.
    """

    def __init__(self, model: Any) -> None:
        self._imports = list(model.opset_import)
        self._version = model.ir_version
        self._versions = {one.domain or "": one.version for one in model.opset_import}
        self.types: dict[str, Any] = {}
        self.known: dict[str, Any] = {}

    def declare(self, name: str, kind: Any) -> None:
        """Note the `onnx.TypeProto` of an input."""
        self.types[name] = kind

    def hold(self, name: str, tensor: Any) -> None:
        """Note a constant, an `onnx.TensorProto`."""
        import onnx

        self.types[name] = onnx.helper.make_tensor_type_proto(tensor.data_type, tensor.dims)
        if _is_small(tensor) and tensor.data_location != onnx.TensorProto.EXTERNAL:
            self.known[name] = tensor

    def shape(self, name: str) -> Shape | None:
        """Return the shape of a tensor; None where it is not known."""
        kind = self.types.get(name)
        if kind is None or not kind.HasField("tensor_type"):
            return None
        tensor = kind.tensor_type
        if not tensor.HasField("shape"):
            return None
        edges = [edge.dim_value if edge.HasField("dim_value") else -1 for edge in tensor.shape.dim]
        return None if min(edges, default=0) < 0 else tuple(edges)

    def element_type(self, name: str) -> int:
        """Return the `onnx.TensorProto.DataType` of a tensor; 0 where it is not known."""
        kind = self.types.get(name)
        return int(kind.tensor_type.elem_type) if kind is not None else 0

    def numbers(self, name: str) -> list[Any] | None:
        """Return the elements of a tensor that is known beforehand."""
        import onnx

        tensor = self.known.get(name)
        found = None if tensor is None else onnx.numpy_helper.to_array(tensor).ravel().tolist()
        return found

    def infer(self, node: Any) -> None:
        """Find the types of the outputs of a node, and their elements where they follow.

        Raises:
            RuntimeError: onnx's inference says that the node's inputs do not go together.
        """
        import onnx
        from onnx import shape_inference

        schema = onnx.defs.get_schema(node.op_type, self._versions.get("", 1), node.domain)
        read = {name for name in node.input if name}
        found = shape_inference.infer_node_outputs(
            schema,
            node,
            {name: self.types[name] for name in read},
            {name: self.known[name] for name in read if name in self.known},
            opset_imports=self._imports,
            ir_version=self._version,
        )
        self.types.update(found)
        if node.op_type == "Shape" and (shape := self.shape(node.input[0])) is not None:
            attributes = {one.name: one.i for one in node.attribute}
            edges = shape[slice(attributes.get("start", 0), attributes.get("end"))]
            self._give(node.output[0], onnx.helper.make_tensor("", 7, [len(edges)], edges))
        elif node.op_type == "Constant":
            self._constant(node)
        elif all(name in self.known for name in read) and self._is_short(node.output):
            self._compute(node)

    def _constant(self, node: Any) -> None:
        import onnx

        (attribute,) = node.attribute
        value = onnx.helper.get_attribute_value(attribute)
        if attribute.name in ("value_int", "value_ints"):
            value = onnx.helper.make_tensor("", 7, *_laid(value))
        elif attribute.name in ("value_float", "value_floats"):
            value = onnx.helper.make_tensor("", 1, *_laid(value))
        if isinstance(value, onnx.TensorProto):
            self.hold(node.output[0], value)

    def _is_short(self, names: Sequence[str]) -> bool:
        return all(
            (shape := self.shape(name)) is None or _product(shape) <= _MOST for name in names
        )

    def _compute(self, node: Any) -> None:
        """Compute a node whose inputs are known, with onnx's reference implementation."""
        import onnx
        from onnx.reference import ReferenceEvaluator

        inputs = {name: onnx.numpy_helper.to_array(self.known[name]) for name in node.input if name}
        program = onnx.helper.make_model(
            onnx.helper.make_graph(
                [node],
                "one",
                [onnx.helper.make_value_info(name, self.types[name]) for name in inputs],
                [onnx.helper.make_value_info(name, self.types[name]) for name in node.output],
            ),
            opset_imports=self._imports,
            ir_version=self._version,
        )
        try:
            outputs = ReferenceEvaluator(program).run(list(node.output), inputs)
        except Exception:  # an operator that the reference does not have; its shape is known
            return
        for name, value in zip(node.output, outputs, strict=True):
            if hasattr(value, "dtype"):
                self._give(name, onnx.numpy_helper.from_array(value))

    def _give(self, name: str, tensor: Any) -> None:
        if _is_small(tensor):
            self.hold(name, tensor)


def _laid(value: Any) -> tuple[list[int], list[Any]]:
    """Return the shape and the elements of a number or of a list of them."""
    return ([len(value)], list(value)) if isinstance(value, Sequence) else ([], [value])


def _is_small(tensor: Any) -> bool:
    import onnx

    kind = onnx.TensorProto
    floating = tensor.data_type in (kind.FLOAT, kind.FLOAT16, kind.DOUBLE, kind.BFLOAT16)
    whole = tensor.data_type in (kind.INT64, kind.INT32, kind.BOOL)
    elements = _product(tuple(tensor.dims))
    return elements <= _FLOATS if floating else whole and elements * 8 <= 4096


def _product(shape: Shape) -> int:
    total = 1
    for edge in shape:
        total *= edge
    return total


def attributes_of(node: Any) -> Mapping[str, Any]:
    """Return the attributes of a node by name; text as text."""
    import onnx

    found = {}
    for one in node.attribute:
        value = onnx.helper.get_attribute_value(one)
        found[one.name] = value.decode() if isinstance(value, bytes) else value
    return found
