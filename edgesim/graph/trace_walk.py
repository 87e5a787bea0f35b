"""Walks an exported program and grows the graph of operators."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from edgesim.common.errors import InputError
from edgesim.graph import trace_rules as rules
from edgesim.graph.op import OpKind
from edgesim.graph.trace_emit import Emitter
from edgesim.graph.trace_layout import moves_rows
from edgesim.graph.trace_rules import Operand, Work
from edgesim.graph.trace_values import Value, each, flat, like, shape_of

if TYPE_CHECKING:
    from torch import fx

# Higher-order operators that only wrap a piece of the program.
_WRAPPERS = ("wrap", "tag_activation_checkpoint", "hints_wrapper")


class Walk:
    """Follows `torch.fx` nodes with shapes, and emits what they compute.

    Args:
        emitter: emitter that grows the graph.
    """

    def __init__(self, emitter: Emitter) -> None:
        self.emitter = emitter

    def run(self, module: fx.GraphModule, inputs: Sequence[Any], scope: fx.Node | None) -> Any:
        """Walk a program; return its output, shaped as the program returns it.

        Args:
            module: exported program or a piece of it.
            inputs: values of its placeholders.
            scope: node that the piece belongs to, for names and error messages.
        """
        from torch import fx

        env: dict[fx.Node, Any] = {}
        entering = iter(inputs)
        for node in module.graph.nodes:
            if node.op == "placeholder":
                env[node] = next(entering)
            elif node.op == "get_attr":
                env[node] = self._attribute(module, str(node.target))
            elif node.op == "output":
                return fx.node.map_arg(node.args[0], env.__getitem__)
            else:
                env[node] = self._call(node, env, scope)
        return ()

    def _attribute(self, module: fx.GraphModule, path: str) -> Any:
        import torch

        found: Any = module
        for part in path.split("."):
            found = getattr(found, part)
        if isinstance(found, torch.Tensor):
            return self.emitter.weight(path, shape_of(found), buffer=True)
        return found

    def _call(self, node: fx.Node, env: Mapping[fx.Node, Any], scope: fx.Node | None) -> Any:
        import operator

        import torch
        from torch import fx

        args: Any = fx.node.map_arg(node.args, env.__getitem__)
        target: Any = node.target
        if target is operator.getitem:
            source, index = args
            return source if isinstance(source, Value) else source[index]
        if isinstance(target, torch._ops.HigherOrderOperator):
            return self._wrapped(node, args, scope)
        if not isinstance(target, torch._ops.OpOverload):
            return None  # arithmetic on sizes
        kwargs: Any = fx.node.map_arg(node.kwargs, env.__getitem__)
        return self._operator(node, target, args, kwargs, scope)

    def _wrapped(self, node: fx.Node, args: Sequence[Any], scope: fx.Node | None) -> Any:
        from torch import fx

        name = str(node.target)
        pieces = [index for index, arg in enumerate(args) if isinstance(arg, fx.GraphModule)]
        if len(pieces) != 1 or not name.startswith(_WRAPPERS):
            raise InputError(
                f"model '{self.emitter.name}': `{name}`{_where(node, scope)} runs one piece or "
                "another, or one piece many times, as the data say; its work is not known "
                "beforehand"
            )
        piece = args[pieces[0]]
        return self.run(piece, list(flat(args[pieces[0] + 1 :])), scope or node)

    def _operator(
        self, node: fx.Node, target: Any, args: Any, kwargs: Any, scope: fx.Node | None
    ) -> Any:
        import torch

        name = target._schema.name.split("::")[1]
        bound = _bind(target, args, kwargs)
        in_place = target._schema.is_mutable and name.endswith("_") and not name.startswith("__")
        name = name.rstrip("_") if in_place else name
        operands = list(flat(bound.values()))
        if name in rules.NOTHING:
            return None
        shapes = self._shapes(node, scope)
        if not operands:
            return like(shapes, [self.emitter.constant(shape) for shape in each(shapes)])
        if name in rules.CONSTANTS:
            made = [self.emitter.constant(shape, operands[0]) for shape in each(shapes)]
            return like(shapes, made)
        out = next(each(shapes), ())
        if not in_place and self._is_free(node, target, name, bound, operands, shapes):
            return like(shapes, [self.emitter.view(operands[0], shape) for shape in each(shapes)])
        if name.startswith(("scaled_dot_product", "_scaled_dot_product")):
            return self._attention(node, scope, bound, operands, shapes)
        work = rules.work_of(name, {key: _operand(value) for key, value in bound.items()}, out)
        if work is None and not in_place:
            if torch.Tag.pointwise in target.tags:
                work = Work(OpKind.ELEMENTWISE)
            elif target._can_decompose():
                return self._decomposed(node, target, args, kwargs, scope)
        if work is None:
            if target.namespace not in ("aten", "prims"):
                raise InputError(
                    f"model '{self.emitter.name}': operator '{target._schema.name}'"
                    f"{_where(node, scope)} is none of PyTorch's own; its work is not known"
                )
            plain = in_place or name in rules.DROPOUT
            work = Work(OpKind.ELEMENTWISE if plain else OpKind.GENERIC)
        made_before = all(one.storage.fixed and one.storage.op is None for one in operands)
        if made_before and not work.macs:
            return like(shapes, self.emitter.folded(operands, each(shapes)))
        storage = operands[0].storage if in_place else None
        made = self.emitter.emit(
            work,
            operands,
            list(each(shapes)),
            path=_path(node, scope),
            operation=name,
            storage=storage,
            read=_read_outputs(node, shapes),
        )
        return like(shapes, made)

    def _is_free(
        self,
        node: fx.Node,
        target: Any,
        name: str,
        bound: Mapping[str, Any],
        operands: Sequence[Value],
        shapes: Any,
    ) -> bool:
        """Return whether the operator only hands its first operand on, whole or in views."""
        if name in rules.DROPOUT:
            return not bound.get("train", bound.get("training", False))
        if name in rules.CASTS:
            (source,) = (arg for arg in node.args[:1])
            before = getattr(getattr(source, "meta", {}).get("val"), "dtype", None)
            return before == getattr(node.meta.get("val"), "dtype", None)
        if name in rules.FREE:
            return name not in rules.COPIES or not moves_rows(node)
        if name in rules.PADS:
            return self._adds_nothing(operands[0], next(each(shapes)))
        if not target.is_view:
            return False
        source_value = operands[0]
        kept = sum(prod(shape) for shape in each(shapes))
        whole = kept >= source_value.numel or source_value.storage.op is None
        return whole or not _only_reader(node)

    def _adds_nothing(self, source: Value, out: Any) -> bool:
        """Return whether padding or repeating gives each sample what was there already."""
        samples = self.emitter.batch
        spread = not source.batched and source.shape[:1] == (1,) and out[:1] == (samples,)
        return bool(out == source.shape or (spread and out[1:] == source.shape[1:]))

    def _decomposed(
        self, node: fx.Node, target: Any, args: Any, kwargs: Any, scope: fx.Node | None
    ) -> Any:
        """Walk the simpler operators that a composite one is made of."""
        import torch
        from torch.fx.experimental.proxy_tensor import make_fx
        from torch.utils import _pytree as pytree

        def tensor(item: Any) -> Any:
            return item.meta["val"] if isinstance(item, torch.fx.Node) else item

        plain = torch.fx.node.map_arg((node.args, dict(node.kwargs)), tensor)
        leaves, spec = pytree.tree_flatten(plain)
        values = pytree.tree_leaves(
            (tuple(args), dict(kwargs)), is_leaf=lambda item: isinstance(item, Value)
        )
        places = [index for index, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor)]

        def call(*tensors: torch.Tensor) -> Any:
            filled = list(leaves)
            for place, one in zip(places, tensors, strict=True):
                filled[place] = one
            positional, named = pytree.tree_unflatten(filled, spec)
            return target.decompose(*positional, **named)

        tensors = [leaves[place] for place in places]
        with tensors[0].fake_mode, torch.no_grad():
            piece = make_fx(call)(*tensors)
        piece.graph.eliminate_dead_code()
        return self.run(piece, [values[place] for place in places], scope or node)

    def _attention(
        self,
        node: fx.Node,
        scope: fx.Node | None,
        bound: Mapping[str, Any],
        operands: Sequence[Value],
        shapes: Any,
    ) -> Any:
        """Add fused attention as QKᵀ, softmax and the product with V, as builders do."""
        query, key, value = (bound[name] for name in ("query", "key", "value"))
        others = [one for one in operands if one not in (query, key, value)]
        out, *rest = each(shapes)
        scores, mixed = rules.attention_work(Operand(query.shape), Operand(value.shape), out)
        matrix = (*out[:-1], value.shape[-2])
        emit, path = self.emitter.emit, _path(node, scope)
        (product,) = emit(scores, (query, key), [matrix], path=path, operation="qk")
        (weights,) = emit(
            Work(OpKind.SOFTMAX), (product, *others), [matrix], path=path, operation="softmax"
        )
        made = emit(mixed, (weights, value), [out], path=path, operation="av")
        return like(shapes, [*made, *(self.emitter.constant(shape) for shape in rest)])

    def _shapes(self, node: fx.Node, scope: fx.Node | None) -> Any:
        """Return the shape of a node's output, or a list of shapes.

        Raises:
            InputError: a size depends on the data.
        """
        import torch

        def shape(value: Any) -> Any:
            if isinstance(value, (list, tuple)):
                return [shape(item) for item in value]
            if not isinstance(value, torch.Tensor):
                return None
            if not all(isinstance(edge, int) for edge in value.shape):
                raise InputError(
                    f"model '{self.emitter.name}': the size of what `{node.target}` gives"
                    f"{_where(node, scope)} depends on the data; only fixed sizes can be counted"
                )
            return shape_of(value)

        return shape(node.meta.get("val"))


def _operand(value: Any) -> Any:
    if isinstance(value, Value):
        return Operand(value.shape, value.storage.fixed)
    if isinstance(value, (list, tuple)):
        return [_operand(item) for item in value]
    return value


def _bind(target: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    bound = {}
    for index, argument in enumerate(target._schema.arguments):
        if index < len(args):
            bound[argument.name] = args[index]
        elif argument.name in kwargs:
            bound[argument.name] = kwargs[argument.name]
        elif argument.has_default_value():
            bound[argument.name] = argument.default_value
    return bound


def _read_outputs(node: fx.Node, shapes: Any) -> frozenset[int] | None:
    """Return which of several outputs are read, by their places; None for all.

    The last states of a recurrent layer, or the places of what pooling chose, are often not.
    """
    import operator

    if not isinstance(shapes, list) or any(isinstance(shape, list) for shape in shapes):
        return None
    read: set[Any] = set()
    for user in node.users:
        if user.target is not operator.getitem:
            return None
        if user.users:
            read.add(user.args[1])
    places = [place for place, shape in enumerate(shapes) if shape is not None]
    return frozenset(places.index(place) for place in read) if read else None


def _only_reader(node: fx.Node) -> bool:
    """Return whether all that is read of what ``node`` takes a part of is that part."""
    source: Any = node.args[0]
    while len(source.users) == 1:
        name = getattr(getattr(source.target, "_schema", None), "name", "").split("::")[-1]
        if not (name in rules.FREE or getattr(source.target, "is_view", False)):
            return True
        source = source.args[0]
    return False


def _path(node: fx.Node, scope: fx.Node | None) -> str:
    """Return the path of the module that a node belongs to; empty for the outermost."""
    stack = node.meta.get("nn_module_stack")
    if not stack and scope is not None:
        stack = scope.meta.get("nn_module_stack")
    # A module that is called again bears a number.
    return re.sub(r"@\d+", "", str(list(stack.values())[-1][0])) if stack else ""


def _where(node: fx.Node, scope: fx.Node | None) -> str:
    """Return `` at file:line`` of the user's code that made a node, where it is known."""
    trace = node.meta.get("stack_trace") or (scope.meta.get("stack_trace") if scope else None) or ""
    places = [
        place
        for place in re.findall(r'File "([^"]+)", line (\d+)', trace)
        if "/torch/" not in place[0] and not place[0].startswith("<")
    ]
    return f" at {places[-1][0]}:{places[-1][1]}" if places else ""
