"""Exported programs, read from their JSON text alone.

``torch.export.load`` unpickles weights and evaluates text as Python. Nothing of either is done
here: operators are looked up by name among torch's own, sizes are computed by `sizes`, and weights
are not read.
"""

from __future__ import annotations

import json
import keyword
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from edgesim.common.errors import InputError
from edgesim.graph.graph import Graph
from edgesim.graph.sources import inputs
from edgesim.graph.sources.archive import model_text
from edgesim.graph.sources.sizes import Sizes
from edgesim.graph.trace import walk_program

if TYPE_CHECKING:
    from torch import fx

FORMAT = 8
"""Major version of torch's schema of exported programs, the only one so far."""
_DTYPES = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32",
    8: "float64", 9: "complex32", 10: "complex64", 11: "complex128", 12: "bool", 13: "bfloat16",
    28: "uint16", 29: "float8_e4m3fn", 30: "float8_e5m2", 31: "float8_e4m3fnuz",
    32: "float8_e5m2fnuz", 34: "uint32", 35: "uint64",
}  # fmt: skip
_PLAIN = ("as_int", "as_ints", "as_string", "as_strings", "as_bool", "as_bools", "as_int_lists")
_DAMAGE = (KeyError, TypeError, IndexError, ValueError, AttributeError, RecursionError)


def graph(job: Mapping[str, Any]) -> Graph:
    """Return the graph of an exported program; see `read`."""
    return read(Path(job["file"]), job["input"])


def read(path: Path, given: Any = None) -> Graph:
    """Return the graph of a program that ``torch.export.save`` wrote; no code in it runs.

    Args:
        path: file of the program.
        given: ``input``: shapes of one sample, for a program whose sizes are not fixed.

    Raises:
        InputError: it is none, has operators that are not torch's, or sizes that depend on the
            data or need ``input``.
    """
    text = model_text(path)
    try:
        document = json.loads(text)
        version = document["schema_version"]["major"]
        if version != FORMAT:
            raise InputError(
                f"{path}: a program of format {version}; this edgesim reads format {FORMAT}: "
                "export it again with another version of torch"
            )
        reader = _Reader(path, document["graph_module"], document["range_constraints"])
        return reader.read(given)
    except InputError:
        raise
    except _DAMAGE as error:
        raise InputError(
            f"{path} is a damaged exported program ({type(error).__name__}: {error}); "
            "export it again"
        ) from None


@dataclass(frozen=True, slots=True)
class _Input:
    """One input of the program: its name, its sizes as they are written, and its type."""

    name: str
    sizes: list[Any]


class _Reader:
    """Builds nodes of `torch.fx` from the JSON of a program; runs none of them."""

    def __init__(self, path: Path, module: dict[str, Any], ranges: dict[str, Any]) -> None:
        from torch._subclasses.fake_tensor import FakeTensorMode

        self.path = path
        self.module = module
        self.sizes = Sizes(str(path), ranges)
        self.mode = FakeTensorMode()
        self.stacks: list[list[tuple[str, str]]] = []

    def read(self, given: Any) -> Graph:
        from torch.export.graph_signature import InputKind

        specs = [next(iter(one.items())) for one in self.module["signature"]["input_specs"]]
        main = self.module["graph"]
        users = [
            _Input(one["arg"]["as_tensor"]["name"], self._sizes(main, one["arg"]))
            for kind, one in specs
            if kind == "user_input" and "as_tensor" in one["arg"]
        ]
        if not users:
            raise InputError(f"{self.path}: the program reads no tensor")
        unknown = dict.fromkeys(name for name in _targets(main) if _operator(name) is None)
        if unknown:
            raise InputError(
                f"{self.path}: operators that are none of torch's own: {', '.join(unknown)}; "
                "their work is not known. Export the model without them"
            )
        batch = self._bind(users, given)
        module = self._piece(main)
        labels = {
            "parameter": ("parameter_name", InputKind.PARAMETER),
            "buffer": ("buffer_name", InputKind.BUFFER),
            "tensor_constant": ("tensor_constant_name", InputKind.CONSTANT_TENSOR),
        }
        made = []
        for kind, one in specs:
            key, made_kind = labels.get(kind, ("", InputKind.USER_INPUT))
            made.append(SimpleNamespace(kind=made_kind, target=one.get(key)))
        program: Any = SimpleNamespace(
            graph=module.graph,
            graph_module=module,
            graph_signature=SimpleNamespace(input_specs=made),
        )
        weights = [str(one.target) for one in made if one.kind is InputKind.PARAMETER]
        name = self.path.name.removesuffix(".pt2")
        found = walk_program(name, self._layers(weights), program, batch, False)
        from edgesim.graph.sources.cache import version

        found.source = f"exported:{self.path.name}, torch {version('torch')}"
        return found

    def _sizes(self, piece: Mapping[str, Any], argument: Mapping[str, Any]) -> list[Any]:
        sizes: list[Any] = piece["tensor_values"][argument["as_tensor"]["name"]]["sizes"]
        return sizes

    def _bind(self, users: list[_Input], given: Any) -> int:
        """Give every size that the program leaves open its value; return the samples it is of."""
        if given is not None:
            self._bind_given(users, list(inputs.shapes(given)))
        first = users[0].sizes[:1]
        if first:
            self.sizes.bind(first[0], 1, "batch")
        for one in users:
            for size in one.sizes[:1]:
                self.sizes.bind(size, 1, "batch")
            if any(not self.sizes.is_known(size) for size in one.sizes):
                raise InputError(
                    f"{self.path}: the sizes of its input '{one.name}' are not fixed; give 'input' "
                    "(--input): its shape without the batch, such as [3, 224, 224]"
                )
        return self.sizes.value(first[0]) if first else 1

    def _bind_given(self, users: list[_Input], shapes: list[list[int]]) -> None:
        if len(shapes) != len(users):
            names = ", ".join(one.name for one in users)
            raise InputError(
                f"{self.path}: expected {len(users)} inputs ({names}), got {len(shapes)}"
            )
        for one, shape in zip(users, shapes, strict=True):
            inner = one.sizes[1:]
            if len(shape) != len(inner):
                raise InputError(
                    f"{self.path}: input '{one.name}' has {len(inner)} sizes beside the batch, "
                    f"got {len(shape)}"
                )
            for size, value in zip(inner, shape, strict=True):
                self.sizes.bind(size, value, one.name)
                if self.sizes.is_known(size) and self.sizes.value(size) != value:
                    raise InputError(
                        f"{self.path}: input '{one.name}' was exported for {self._text(inner)}, "
                        f"got {inputs.text(shape)}"
                    )

    def _text(self, sizes: list[Any]) -> str:
        known = [self.sizes.value(one) if self.sizes.is_known(one) else "any" for one in sizes]
        return "×".join(map(str, known))

    def _piece(self, piece: Mapping[str, Any]) -> fx.GraphModule:
        """Return a graph of the program, whole or inside of another, as a module."""
        import torch

        graph, root = torch.fx.Graph(), torch.nn.Module()
        nodes: dict[str, Any] = {}
        for one in piece["inputs"]:
            ((kind, value),) = one.items()
            name = value.get("name") if isinstance(value, dict) else None
            node = graph.placeholder(_identifier(name or f"input_{len(nodes)}"))
            if kind == "as_tensor":
                node.meta["val"] = self._tensor(piece, value["name"])
            nodes[node.name] = nodes[name or node.name] = node
        for one in piece["nodes"]:
            self._node(graph, root, piece, one, nodes)
        outputs = tuple(self._argument(one, piece, nodes, graph, root) for one in piece["outputs"])
        single = piece.get("is_single_tensor_return") and len(outputs) == 1
        graph.output(outputs[0] if single else outputs)
        return torch.fx.GraphModule(root, graph)

    def _node(
        self, graph: fx.Graph, root: Any, piece: Mapping[str, Any], one: dict[str, Any],
        nodes: dict[str, Any],
    ) -> None:  # fmt: skip
        import operator

        outputs = one["outputs"]
        if not _computes(one):
            return
        target = _operator(one["target"])
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        for given in one["inputs"]:
            value = self._argument(given["arg"], piece, nodes, graph, root)
            if given.get("kind") == 2 or _is_keyword(target, given):
                kwargs[_identifier(given["name"])] = value
            else:
                args.append(value)
        node = graph.call_function(target, tuple(args), kwargs)
        node.meta |= self._meta(one["metadata"])
        names = list(_names(outputs))
        values = [None if name is None else self._tensor(piece, name) for name in names]
        many = len(outputs) > 1 or "as_tensors" in outputs[0]
        many = many or one.get("is_hop_single_tensor_return") is False
        node.meta["val"] = tuple(values) if many else values[0]
        for index, (name, value) in enumerate(zip(names, values, strict=True)):
            if name is None:
                continue
            nodes[name] = node
            if many:
                nodes[name] = part = graph.call_function(operator.getitem, (node, index))
                part.meta |= {**node.meta, "val": value}

    def _argument(
        self, given: Mapping[str, Any], piece: Mapping[str, Any], nodes: Mapping[str, Any],
        graph: fx.Graph, root: Any,
    ) -> Any:  # fmt: skip
        """Return an argument of an operator, with nodes in the place of tensors."""
        import torch

        ((kind, value),) = given.items()
        if kind in _PLAIN:
            return value
        if kind == "as_none":
            return None
        if kind == "as_tensor":
            return nodes[value["name"]]
        if kind in ("as_tensors", "as_optional_tensors"):
            return [self._optional(one, nodes) for one in value]
        if kind == "as_optional_tensor":
            return self._optional(value, nodes)
        if kind in ("as_float", "as_sym_float"):
            return float(value["as_float"] if isinstance(value, dict) else value)
        if kind == "as_floats":
            return [float(one) for one in value]
        if kind == "as_sym_int":
            return self._symbol(value, piece)
        if kind == "as_sym_ints":
            return [self._symbol(one, piece) for one in value]
        if kind == "as_scalar_type":
            return getattr(torch, _DTYPES[value])
        if kind == "as_complex":
            return complex(value["real"], value["imag"])
        if kind == "as_graph":
            name = _identifier(value["name"])
            setattr(root, name, self._piece(value["graph"]))
            return graph.get_attr(name)
        # Devices, layouts and memory formats: nothing that work depends on.
        return None

    def _optional(self, one: Mapping[str, Any], nodes: Mapping[str, Any]) -> Any:
        if "as_none" in one:
            return None
        return nodes[one.get("as_tensor", one)["name"]]

    def _symbol(self, one: Mapping[str, Any], piece: Mapping[str, Any]) -> int:
        if "as_int" in one:
            return int(one["as_int"])
        return self.sizes.value(piece["sym_int_values"][one["as_name"]])

    def _tensor(self, piece: Mapping[str, Any], name: str) -> Any:
        import torch

        known = piece["tensor_values"][name]
        shape = [self.sizes.value(size) for size in known["sizes"]]
        with self.mode:
            return torch.empty(shape, dtype=getattr(torch, _DTYPES[known["dtype"]]))

    def _meta(self, metadata: Mapping[str, str]) -> dict[str, Any]:
        stack = [
            (parts[1], ",".join(parts[2:]))
            for one in metadata.get("nn_module_stack", "").split(";")
            if len(parts := one.split(",")) > 2 and not parts[0].startswith("_empty_nn")
        ]
        self.stacks.append(stack)
        return {
            "nn_module_stack": {str(index): one for index, one in enumerate(stack)},
            "stack_trace": metadata.get("stack_trace", ""),
        }

    def _layers(self, weights: list[str]) -> set[str]:
        """Return the paths of torch's own modules that hold no others."""
        paths = {path: kind for stack in self.stacks for path, kind in stack}
        outer = {path for stack in self.stacks for path, _ in stack[:-1]}
        # A module whose children do not run themselves, such as attention, has their weights.
        outer |= {weight.rpartition(".")[0].rpartition(".")[0] for weight in weights}
        return {
            path
            for path, kind in paths.items()
            if path and kind.startswith("torch.nn") and path not in outer
        }


def _is_keyword(target: Any, given: Mapping[str, Any]) -> bool:
    """Return whether an argument goes by name; older programs do not say so of each."""
    schema = getattr(target, "_schema", None)
    listed = schema.arguments if schema is not None and given.get("kind") is None else ()
    return any(one.name == given["name"] and one.kwarg_only for one in listed)


def _targets(piece: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the operators that compute something, those of pieces inside too."""
    for one in piece["nodes"]:
        if _computes(one):
            yield str(one["target"])[:100]
            for given in one["inputs"]:
                if "as_graph" in given["arg"]:
                    yield from _targets(given["arg"]["as_graph"]["graph"])


def _computes(one: Mapping[str, Any]) -> bool:
    """Return whether an operator is neither arithmetic on sizes, done by `Sizes`, nor a check."""
    kinds = ("as_sym_int", "as_sym_bool", "as_none")
    return not all(any(kind in out for kind in kinds) for out in one["outputs"])


def _operator(name: str) -> Any:
    """Return an operator of torch; None where it has none of this name."""
    import torch

    start, *parts = name.split(".")
    if start != "torch" or parts[:1] != ["ops"] or not 3 <= len(parts) <= 4:
        return None
    found: Any = torch.ops
    for part in parts[1:]:
        if not part.isidentifier():
            return None
        try:
            found = getattr(found, part)
        except AttributeError:
            return None
    kinds = (torch._ops.OpOverload, torch._ops.HigherOrderOperator)
    return found if isinstance(found, kinds) else None


def _names(outputs: list[Any]) -> Iterator[str | None]:
    """Yield the names of the tensors that an operator returns; None for what is no tensor."""
    for out in outputs:
        ((kind, value),) = out.items()
        if kind == "as_tensor":
            yield value["name"]
        elif kind in ("as_tensors", "as_optional_tensors"):
            yield from (one.get("as_tensor", one).get("name") if one else None for one in value)
        else:
            yield None


def _identifier(name: Any) -> str:
    """Return a name that becomes part of Python text, which `torch.fx` makes of every graph.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        raise ValueError(f"{str(name)[:60]!r} is no name")
    return name
