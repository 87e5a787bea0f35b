"""Turns an ONNX model into a graph of operators, from its shapes alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

from edgesim.common.errors import InputError
from edgesim.common.extras import load as load_extra
from edgesim.graph.graph import Graph
from edgesim.graph.onnx import file, rules
from edgesim.graph.onnx.shapes import Inference
from edgesim.graph.onnx.walk import Walk
from edgesim.graph.trace_emit import Emitter
from edgesim.graph.trace_rules import Shape

OLDEST = 11
"""Oldest operator set that is read."""

Inputs = Mapping[str, Sequence[int]] | Sequence[int]


def read(path: str | Path, inputs: Inputs | None = None, *, name: str | None = None) -> Graph:
    """Return the operators of an ONNX model as it runs at inference, counted for one sample.

    Only shapes are read: neither weights nor external data are loaded. Shapes follow from onnx's
    own inference, and from small constant tensors, which onnx's reference implementation computes.

    - The first edge of the first input is the batch; where it is not fixed, it is 1. Inputs whose
      first edge is the same, or not fixed, have a part for each sample.
    - Operators become those that `edgesim.graph.trace.trace` gives for the same work. A sum with a
      vector of constants behind a product with weights is the bias of that product.
    - Operators between ``DequantizeLinear`` and ``QuantizeLinear``, and operators on integers
      (``QLinearConv``), have the bits of what they read; the conversions themselves are free, as
      runtimes take them into the operators beside them.
    - Parameters are the initializers that hold numbers of floating point, or stand for them, and
      are read by an operator that counts; scales, zero points and the running statistics of a
      batch normalisation are none. A batch normalisation that the exporter folded into a
      convolution leaves one bias for each channel in its place.

    Args:
        path: file of the model.
        inputs: shape of one sample of each input, without the batch, by name; of the only input as
            a plain shape. Needed where the file leaves edges open, other than the batch's.
        name: name of the graph; that of the file unless given.

    Raises:
        InputError: the file is no ONNX model or cannot be read, an input's shape is open or not
            as the file has it, or the model has operators that are not known: all are named.
    """
    path = Path(path)
    load_extra("reading an ONNX model", "onnx", "onnx")
    model = _inlined(path, file.load(path))
    name = path.name.removesuffix(".onnx") if name is None else name
    _check(name, model)
    inference = Inference(model)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for tensor in constants.values():
        inference.hold(tensor.name, tensor)
    entering = [one for one in model.graph.input if one.name not in constants]
    shapes = _shapes(name, entering, inputs)
    batch = _batch(name, shapes)
    layers: set[str] = set()
    emitter = Emitter(name, layers, batch)
    walk = Walk(emitter, inference, constants, layers)
    samples: list[Shape] = []
    for one, shape in zip(entering, shapes.values(), strict=True):
        batched = bool(shape) and shape[0] == batch
        samples.append(shape[1:] if batched else shape)
        inference.declare(one.name, _typed(one.type, shape))
        walk.values[one.name] = emitter.input(shape, batched)
    walk.run(_needed(model.graph))
    outputs = [walk.values[one.name] for one in model.graph.output if one.name in walk.values]
    whole = samples[0] if len(samples) == 1 else (sum(prod(shape) for shape in samples),)
    return emitter.graph(outputs, whole)


def _inlined(path: Path, model: Any) -> Any:
    """Return the model with its own functions written out."""
    from onnx import inliner

    if not model.functions:
        return model
    try:
        return inliner.inline_local_functions(model)
    except Exception as error:
        raise InputError(f"{path}: the model's own functions do not go together: {error}") from None


def _needed(graph: Any) -> list[Any]:
    """Return the nodes of a graph without those whose result nobody reads."""
    wanted = {one.name for one in graph.output}
    found = []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            found.append(node)
            wanted.update(node.input)
            for attribute in node.attribute:
                wanted.update(name for one in attribute.g.node for name in one.input)
                wanted.update(one.name for one in attribute.g.output)
    return found[::-1]


def _check(name: str, model: Any) -> None:
    """Check the operator set and the operators.

    Raises:
        InputError: one of them is not known.
    """
    import onnx

    newest = onnx.defs.onnx_opset_version()
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), newest)
    if not OLDEST <= opset <= newest:
        raise InputError(
            f"model '{name}': expected operator set {OLDEST} to {newest}, got {opset}; export it "
            "with another `opset_version`, or convert it with onnx.version_converter"
        )
    strange = dict.fromkeys(
        f"{node.domain or 'ai.onnx'}.{node.op_type}"
        for node in _every(model.graph)
        if not rules.is_known(node.op_type, node.domain)
    )
    if strange:
        raise InputError(
            f"model '{name}': operators whose work is not known: {', '.join(strange)}; export the "
            "module with plain operators in their place, or trace it with `model: {torch: ...}`"
        )


def _every(graph: Any) -> list[Any]:
    """Return the nodes of a graph and of the graphs inside them."""
    found = []
    for node in graph.node:
        found.append(node)
        for attribute in node.attribute:
            if attribute.HasField("g"):
                found += _every(attribute.g)
    return found


def _shapes(name: str, entering: Sequence[Any], inputs: Inputs | None) -> dict[str, Shape]:
    """Return the shape of each input, with the batch.

    Raises:
        InputError: an edge is open and not given, or given otherwise than the file has it.
    """
    known = [one.name for one in entering]
    if inputs is not None and not isinstance(inputs, Mapping):
        if len(known) != 1:
            raise InputError(
                f"model '{name}': expected the shapes of its inputs by name, {', '.join(known)}"
            )
        inputs = {known[0]: inputs}
    given = dict(inputs or {})
    for key in given:
        if key not in known:
            raise InputError(
                f"model '{name}': it has no input '{key}'; its inputs are {', '.join(known)}"
            )
    found = {}
    for one in entering:
        if not one.type.HasField("tensor_type") or not one.type.tensor_type.HasField("shape"):
            edges: list[int | None] = [None] * (1 + len(given.get(one.name, ())))
        else:
            edges = [
                edge.dim_value if edge.dim_value > 0 else None
                for edge in one.type.tensor_type.shape.dim
            ]
        found[one.name] = _shape(name, one.name, edges, given.get(one.name))
    return found


def _shape(name: str, key: str, edges: Sequence[int | None], sample: Sequence[int] | None) -> Shape:
    written = tuple("?" if edge is None else edge for edge in edges)
    text = "×".join(str(edge) for edge in written[1:]) or "a number"
    if sample is not None:
        wanted = (edges[0] or 1, *sample) if edges else ()
        fits = len(wanted) == len(edges) and all(
            edge in (None, want) for edge, want in zip(edges, wanted, strict=True)
        )
        if not fits:
            raise InputError(
                f"model '{name}': input '{key}' takes {text} without the batch, "
                f"got {'×'.join(map(str, sample))}"
            )
        return tuple(wanted)
    if any(edge is None for edge in edges[1:]):
        raise InputError(
            f"model '{name}': input '{key}' takes {text}; give the open edges, as in "
            f"`input: {{{key}: [{', '.join(str(e if e else 224) for e in edges[1:])}]}}`"
        )
    return tuple(edge or 1 for edge in edges)


def _batch(name: str, shapes: Mapping[str, Shape]) -> int:
    if not shapes:
        raise InputError(f"model '{name}' has no input")
    first = next(iter(shapes.values()))
    return first[0] if first else 1


def _typed(kind: Any, shape: Shape) -> Any:
    import onnx

    return onnx.helper.make_tensor_type_proto(kind.tensor_type.elem_type or 1, shape)
