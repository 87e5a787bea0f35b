"""Walks the nodes of an ONNX program and grows the graph of operators."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

from edgesim.common.errors import InputError
from edgesim.graph.onnx import rules
from edgesim.graph.onnx.patterns import gelus as gelus_of
from edgesim.graph.onnx.shapes import Inference, attributes_of
from edgesim.graph.op import OpKind
from edgesim.graph.trace_emit import Emitter
from edgesim.graph.trace_rules import Operand, Shape, Work, attention_work
from edgesim.graph.trace_values import Value

# Names that exporters make up for what has none of its own.
_MADE_UP = re.compile(r"^(onnx::|/|_)|^(val|node|const|tensor|initializer)_?\d|^\d+$|_quantized$")


class Walk:
    """Follows the nodes with shapes, and emits what they compute.

    Args:
        emitter: emitter that grows the graph.
        inference: shapes and small constants.
        constants: initializers by name.
        layers: paths of modules that are one operator each, which the emitter reads: filled with
            those whose weights the exporter has given names of its own.
    """

    def __init__(
        self,
        emitter: Emitter,
        inference: Inference,
        constants: Mapping[str, Any],
        layers: set[str],
    ) -> None:
        self.emitter = emitter
        self._layers = layers
        self.inference = inference
        self.values: dict[str, Value] = {}
        self._constants = dict(constants)
        # Bits of what was converted to fewer, by name.
        self._bits: dict[str, int] = {}
        self._nodes: dict[str, Any] = {}
        self._readers: dict[str, list[Any]] = {}

    def run(self, nodes: Sequence[Any]) -> None:
        """Walk nodes in their order.

        Raises:
            InputError: the work of one, or the size of its result, is not known beforehand.
        """
        nodes = self._inferred(nodes)
        for node in nodes:
            for name in node.output:
                self._nodes[name] = node
            for name in node.input:
                self._readers.setdefault(name, []).append(node)
        gelus = gelus_of(nodes)
        inner = {name for _, steps in gelus.values() for name in steps}
        for node in nodes:
            if node.output[0] in gelus:
                self._gelu(node, gelus[node.output[0]][0])
            elif node.output[0] not in inner:
                self._node(node)

    def _inferred(self, nodes: Sequence[Any]) -> list[Any]:
        """Return the nodes, those of known branches in their place, with all shapes inferred."""
        import onnx

        found = []
        for node in nodes:
            branch = self._branch(node) if node.op_type == "If" else None
            if branch is None:
                self._check(node)
                self._infer(node)
                found.append(node)
                continue
            found += self._inferred(branch.node)
            for name, inner in zip(node.output, branch.output, strict=True):
                found.append(onnx.helper.make_node("Identity", [inner.name], [name]))
                self._infer(found[-1])
        return found

    def _gelu(self, node: Any, source: str) -> None:
        """Add what a written-out GELU ends with as one operator."""
        (out,) = node.output
        (self.values[out],) = self.emitter.emit(
            Work(OpKind.TRANSCENDENTAL),
            [self._value(source)],
            [self._shape(node, out)],
            path=self._path(node),
            operation="gelu",
        )

    def _check(self, node: Any) -> None:
        """Check that what a node computes does not depend on the data."""
        if node.op_type not in rules.DEPENDENT:
            return
        known = all(name in self.inference.known for name in node.input if name)
        if node.op_type in ("If", "Loop", "Scan", "SequenceMap") or not known:
            raise InputError(
                f"model '{self.emitter.name}': what `{node.op_type}` (node "
                f"'{node.name or node.output[0]}') computes depends on the data; a graph has no "
                "branches. Export the part before it and the part after it"
            )

    def _node(self, node: Any) -> None:
        outputs = [name for name in node.output if name]
        shapes = [self._shape(node, name) for name in outputs]
        for name, value in zip(outputs, self._computed(node, shapes), strict=True):
            self.values[name] = value

    def _branch(self, node: Any) -> Any:
        """Return the branch that an ``If`` takes, where its condition is known."""
        condition = self.inference.numbers(node.input[0])
        if not condition:
            return None
        graph = attributes_of(node)["then_branch" if condition[0] else "else_branch"]
        for tensor in graph.initializer:
            self._constants[tensor.name] = tensor
            self.inference.hold(tensor.name, tensor)
        return graph

    def _infer(self, node: Any) -> None:
        if node.domain == rules.CONTRIB:
            self._infer_contrib(node)
            return
        try:
            self.inference.infer(node)
        except Exception as error:
            reason = str(error).strip().splitlines()[-1] if str(error).strip() else error
            raise InputError(
                f"model '{self.emitter.name}': the inputs of `{node.op_type}` (node "
                f"'{node.name or node.output[0]}') do not go together: {reason}"
            ) from None

    def _infer_contrib(self, node: Any) -> None:
        """Find the shape of an operator that onnx does not know, from one that it does."""
        import numpy as np
        import onnx

        how = rules.CONTRIB_SHAPES.get(node.op_type, "same")
        places = [i for i in range(len(node.input)) if i not in rules.SCALES.get(node.op_type, ())]
        shapes = [self._shape(node, node.input[i]) for i in places if node.input[i]]
        attributes = attributes_of(node)
        if how == "broadcast":
            out: Shape = tuple(np.broadcast_shapes(*shapes))
        elif how == "gemm":
            columns = shapes[1][0] if attributes.get("transB", 0) else shapes[1][1]
            rows = shapes[0][1] if attributes.get("transA", 0) else shapes[0][0]
            out = (rows, columns)
        elif how == "global":
            out = (*shapes[0][:2], *(1 for _ in shapes[0][2:]))
        elif how == "concat":
            parts = [self._shape(node, name) for name in node.input[2::3]]
            axis = attributes["axis"]
            out = tuple(
                sum(part[i] for part in parts) if i == axis % len(parts[0]) else edge
                for i, edge in enumerate(parts[0])
            )
        elif how in ("Conv", "MatMul"):
            plain = onnx.helper.make_node(how, node.input[:2], node.output[:1])
            known = onnx.defs.get_schema(how).attributes
            plain.attribute.extend(one for one in node.attribute if one.name in known)
            self.inference.infer(plain)
            return
        else:
            out = shapes[0]
        kind = self.inference.element_type(node.input[0]) or 1
        for name in node.output:
            self.inference.types[name] = onnx.helper.make_tensor_type_proto(kind, out)

    def _shape(self, node: Any, name: str) -> Shape:
        found = self.inference.shape(name)
        if found is None:
            raise InputError(
                f"model '{self.emitter.name}': the size of '{name}' at `{node.op_type}` (node "
                f"'{node.name or node.output[0]}') is not known beforehand: it depends on the "
                "data, or an input's edges are open; only fixed sizes can be counted"
            )
        return found

    def _value(self, name: str) -> Value:
        """Return a tensor; an initializer or a constant becomes one when it is first read."""
        if name not in self.values:
            shape = self.inference.shape(name) or ()
            tensor = self._constants.get(name)
            if tensor is None or not (_is_parameter(tensor) or self._is_stored(name)):
                self.values[name] = self.emitter.constant(shape)
            else:
                self.values[name] = self.emitter.weight(name, shape)
        return self.values[name]

    def _is_stored(self, name: str) -> bool:
        """Return whether an initializer of integers stands for numbers: a weight or a bias."""
        return any(
            name == node.input[place]
            for node in self._readers.get(name, ())
            for place in rules.STORED.get(node.op_type, ())
            if place < len(node.input)
        )

    def _computed(self, node: Any, shapes: Sequence[Shape]) -> list[Value]:
        kind = node.op_type
        if kind in rules.CONSTANTS:
            return [self.emitter.constant(shape) for shape in shapes]
        skipped = rules.SCALES.get(kind, frozenset())
        names = [name for at, name in enumerate(node.input) if name and at not in skipped]
        operands = [self._value(name) for name in names]
        if not operands:
            return [self.emitter.constant(shape) for shape in shapes]
        self._note_bits(node)
        if self._is_free(node, operands[0], shapes):
            return [self.emitter.view(operands[0], shape) for shape in shapes]
        if kind == "Attention":
            return self._attention(node, operands, shapes)
        attributes = attributes_of(node)
        places = [self._operand(name) if name else None for name in node.input]
        work = rules.onnx_work(kind, places, attributes, shapes[0])
        work = self._with_bits(work, node)
        if self._is_bias(node, work, operands):
            return [self.emitter.add_bias(operands, shape) for shape in shapes]
        fixed = all(one.storage.fixed and one.storage.op is None for one in operands)
        if fixed and not work.macs:
            return self.emitter.folded(operands, shapes)
        path = self._path(node)
        labels = [label for one in operands for label in one.storage.labels]
        if path and work.macs and labels and all(_MADE_UP.match(label) for label in labels[:1]):
            self._layers.add(path)
        return self.emitter.emit(work, operands, shapes, path=path, operation=_snake(kind))

    def _operand(self, name: str) -> Operand:
        value = self._value(name)
        return Operand(value.shape, value.storage.fixed)

    def _is_free(self, node: Any, source: Value, shapes: Sequence[Shape]) -> bool:
        kind = node.op_type
        if kind == "Transpose":
            return not self._moves_rows(node, source)
        if kind == "Cast":
            types = self.inference.element_type
            return types(node.input[0]) == types(node.output[0])
        if kind in ("Pad", "Tile", "Resize"):
            return shapes[0] == source.shape
        if kind in ("Slice", "Split", "Gather"):
            return self._is_part(node, source, shapes)
        if kind in ("Mul", "Div"):
            return self._is_factor(node)
        return kind in rules.FREE

    def _is_part(self, node: Any, source: Value, shapes: Sequence[Shape]) -> bool:
        """Return whether a node takes parts of a value whose rest is read too: those are views."""
        if node.op_type == "Gather" and (self.inference.numbers(node.input[1]) or [0, 0])[1:]:
            return False
        if (
            node.op_type == "Slice"
            and any(abs(step) != 1 for step in self.inference.numbers(node.input[4]) or ())
            if len(node.input) > 4
            else False
        ):
            return False
        whole = sum(prod(shape) for shape in shapes) >= source.numel
        return whole or source.storage.op is None or len(self._readers[node.input[0]]) > 1

    def _is_factor(self, node: Any) -> bool:
        """Return whether a node scales, by one number, what products of activations read or make.

        Such a factor belongs to the product, as in fused attention.
        """
        numbers = [name for name in node.input if self._is_number(name)]
        if len(numbers) != 1 or self._is_number(node.input[0]):
            return False
        maker = self._nodes.get(node.input[0])
        if maker is not None and maker.op_type == "MatMul":
            return True
        last = node.output[0]
        while len(readers := self._readers.get(last, [])) == 1 and readers[0].op_type in _VIEWS:
            last = readers[0].output[0]
        return bool(readers) and all(reader.op_type == "MatMul" for reader in readers)

    def _is_number(self, name: str) -> bool:
        shape = self.inference.shape(name)
        return shape is not None and prod(shape) == 1 and self._value(name).storage.op is None

    def _moves_rows(self, node: Any, source: Value) -> bool:
        """Return whether a transposition moves whole rows of the last axis, as into windows.

        As in `edgesim.graph.trace_layout`: the last axis is that of the operator before all views,
        of the transposition, and of the views after it.
        """
        attributes = attributes_of(node)
        shape = source.shape
        axes = list(attributes.get("perm", range(len(shape) - 1, -1, -1)))
        moved = [axis for axis in axes if shape[axis] > 1]
        if not shape or shape[-1] < 2 or axes[-1] != len(shape) - 1 or moved == sorted(moved):
            return False
        first = node.input[0]
        while (maker := self._nodes.get(first)) is not None and maker.op_type in _SHAPES:
            first = maker.input[0]
        last = node.output[0]
        while len(readers := self._readers.get(last, [])) == 1 and readers[0].op_type in _SHAPES:
            last = readers[0].output[0]
        ends = [self.inference.shape(first), self.inference.shape(last)]
        return all(end is not None and end[-1:] == shape[-1:] for end in ends)

    def _is_bias(self, node: Any, work: Work, operands: Sequence[Value]) -> bool:
        """Return whether a sum is the bias of the product with weights before it."""
        if node.op_type != "Add" or len(operands) != 2:
            return False
        vector, other = sorted(operands, key=lambda one: len(one.shape))
        maker = next(
            (self._nodes[name] for name in node.input if self.values.get(name) is other
             and name in self._nodes), None,
        )  # fmt: skip
        return (
            maker is not None
            and len(self._readers.get(maker.output[0], ())) == 1
            and maker.op_type in ("MatMul", "MatMulInteger")
            and bool(vector.storage.labels)
            and vector.storage.op is None
            and vector.shape == other.shape[-1:]
            and self.emitter.is_last_linear(other)
        )

    def _attention(
        self, node: Any, operands: Sequence[Value], shapes: Sequence[Shape]
    ) -> list[Value]:
        """Add attention as QKᵀ, softmax and the product with V."""
        query, key, value, *others = operands
        heads = attributes_of(node)
        sides = []
        for one, count in ((query, "q_num_heads"), (key, "kv_num_heads"), (value, "kv_num_heads")):
            shape = one.shape
            if len(shape) == 3:
                number = heads[count]
                shape = (shape[0], number, shape[1], shape[2] // number)
            sides.append(shape)
        out = (*sides[0][:-1], sides[2][-1])
        scores, mixed = attention_work(Operand(sides[0]), Operand(sides[2]), out)
        matrix = (*out[:-1], sides[2][-2])
        emit, path = self.emitter.emit, self._path(node)
        (product,) = emit(scores, (query, key), [matrix], path=path, operation="qk")
        (weights,) = emit(
            Work(OpKind.SOFTMAX), (product, *others), [matrix], path=path, operation="softmax"
        )
        made = emit(mixed, (weights, value), [shapes[0]], path=path, operation="av")
        return [*made, *(self.emitter.constant(shape) for shape in shapes[1:])]

    def _note_bits(self, node: Any) -> None:
        """Remember the bits of what a conversion gives, and hand them on through views."""
        kind, types = node.op_type, self.inference.element_type
        if kind == "DequantizeLinear":
            bits = _BITS.get(types(node.input[0]))
            if bits is not None:
                self._bits[node.output[0]] = bits
        elif kind in rules.FREE and node.input[0] in self._bits:
            self._bits[node.output[0]] = self._bits[node.input[0]]

    def _with_bits(self, work: Work, node: Any) -> Work:
        """Return the work with the bits of what its node reads, where they are few."""
        types = self.inference.element_type
        place = rules.WEIGHT_PLACE.get(node.op_type)
        skipped = rules.SCALES.get(node.op_type, frozenset())
        bits: dict[bool, list[int | None]] = {True: [], False: []}
        for at, name in enumerate(node.input):
            if not name or at in skipped or self.inference.shape(name) is None:
                continue
            own = _BITS.get(types(name), self._bits.get(name))
            fixed = self._value(name).storage.fixed
            if len(self.inference.shape(name) or ()) < 2 and fixed:
                continue  # a bias
            bits[place == at if place is not None else fixed].append(own)
        data = bits[False]
        few = data and None not in data and node.op_type not in ("Gather", "Cast")
        return replace(
            work,
            activation_bits=max(one for one in data if one is not None) if few else None,
            weight_bits=next((one for one in bits[True] if one is not None), None),
        )

    def _path(self, node: Any) -> str:
        """Return the path of the module that a node belongs to, where its name tells."""
        for entry in node.metadata_props:
            if entry.key == "pkg.torch.onnx.name_scopes":
                try:
                    scopes = ast.literal_eval(entry.value)
                except (SyntaxError, ValueError):
                    break
                return str(scopes[-2]) if len(scopes) > 1 else ""
        if not node.name.startswith("/"):
            return ""
        parts: list[str] = []
        for part in node.name.split("/")[1:-1]:
            if parts and part.startswith(f"{parts[-1]}."):
                parts.pop()  # a list and its item, which bears the name of the list too
            parts.append(part)
        return ".".join(parts)


_VIEWS = frozenset(("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Transpose"))
_SHAPES = _VIEWS - {"Transpose"}
_BITS: Mapping[int, int] = {2: 8, 3: 8, 4: 16, 5: 16, 17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4}
"""Bits of the integers and short floats of `onnx.TensorProto.DataType`, fp16 and bf16 left out."""


def _is_parameter(tensor: Any) -> bool:
    """Return whether an initializer holds parameters rather than a number of the program."""
    import onnx

    kind = onnx.TensorProto
    whole = (kind.INT64, kind.INT32, kind.BOOL, kind.STRING, kind.UINT64, kind.UINT32)
    elements = 1
    for edge in tensor.dims:
        elements *= edge
    if tensor.data_type in whole:
        return False
    return elements > 1 or not _MADE_UP.match(tensor.name)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
