"""Turns any torch module into a graph of operators, through `torch.export`."""

from __future__ import annotations

import contextlib
import inspect
import io
import logging
import os
import traceback
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from edgesim.common.errors import InputError, nearest
from edgesim.graph.graph import Graph
from edgesim.graph.trace_emit import Emitter
from edgesim.graph.trace_rules import ComplexShape
from edgesim.graph.trace_state import unchanged
from edgesim.graph.trace_values import Value, flat, shape_of
from edgesim.graph.trace_walk import Walk

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.export import ExportedProgram

_PLACED = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
_NAMED = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
_MOST_NAMED = 10
"""Arguments that a message lists."""


def trace(
    module: nn.Module,
    example: Tensor | tuple[Any, ...] | Mapping[str, Any],
    *,
    name: str | None = None,
    batch: int | None = None,
    unread: list[tuple[str, int]] | None = None,
) -> Graph:
    """Return the operators of a module as it runs at inference, counted for one sample.

    Nothing is computed: `torch.export` follows the module with tensors that have a shape and no
    data, so that weights may lie on the ``meta`` device, and the example on any. The module is
    exported in evaluation mode and left as it was.

    - Operators are named by module path. Fused attention becomes QKᵀ, softmax and AV.
    - Views and dropout are free; taking a part of a value, when nobody reads
      the rest, is an operator of kind ``memory``, as are concatenation and gathering.
    - What depends on parameters and constants alone, and takes no multiply-accumulate, is made
      before the first sample and not counted. Operators whose result nobody reads are left out.
    - Parameters that several operators share count once, at the first; parameters that no operator
      reads do not count. Nor do buffers, except as the weights of a product or convolution that
      reads no parameter.
    - Operators that are no product or convolution count no multiply-accumulates, as in
      `torch.utils.flop_counter`; a Fourier transform counts floating-point operations besides
      (`Op.other_flop`). A complex element counts as two, a product of complex numbers as one.
    - Copies that move whole rows of channels to other places, as into windows, are operators of
      kind ``memory``; those that split and join heads, or swap channels and places, are free: the
      kernels beside them read and write in that order.

    Args:
        module: any module that `torch.export` can follow.
        example: input tensor; or all positional arguments as a tuple; or all arguments by name.
            Numbers, strings and nested containers may be among them.
        name: name of the graph; the module's class unless given.
        batch: samples in the example; the first edge of its first tensor unless given.
        unread: gets the parameters that no operator reads, and the elements of each.

    Raises:
        InputError: the module or the example is none, the module fails on the example, or its work
            depends on the data. The message names file and line of the module.
    """
    import torch

    if not isinstance(module, torch.nn.Module):
        raise InputError(f"expected a torch.nn.Module to trace, got {type(module).__name__}")
    name = type(module).__name__ if name is None else name
    args, kwargs = _beside(module, _arguments(name, example))
    tensors = [
        leaf
        for leaf in torch.utils._pytree.tree_leaves((args, kwargs))
        if isinstance(leaf, torch.Tensor)
    ]
    if not tensors:
        raise InputError(f"model '{name}': the example holds no tensor")
    given = batch is not None
    if batch is None:
        batch = tensors[0].shape[0] if tensors[0].ndim else 1
    if batch < 1 or (given and batch > 1 and batch not in tensors[0].shape):
        raise InputError(
            f"model '{name}': no edge of an example of shape {tuple(tensors[0].shape)} holds "
            f"{batch} samples; expected (samples, ...) with at least one"
        )
    _check_forward(name, module, args, kwargs)
    program = _export(name, module, args, kwargs)
    return walk_program(name, _layers(module), program, batch, given, unread)


def _arguments(name: str, example: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    import torch

    if isinstance(example, torch.Tensor):
        return (example,), {}
    if isinstance(example, tuple):
        return example, {}
    if isinstance(example, Mapping):
        return (), dict(example)
    raise InputError(
        f"model '{name}': expected an example tensor, a tuple of arguments or a mapping of them, "
        f"got {type(example).__name__}"
    )


def _check_forward(
    name: str, module: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> None:
    wrong, missing = wrong_arguments(module.forward, args, kwargs)
    if missing:
        names = ", ".join(f"'{one}'" for one in missing)
        wrong.append(f"needs {names}{'' if kwargs else '; give the inputs by name'}")
    if wrong:
        raise InputError(f"model '{name}': its 'forward' {'; it '.join(wrong)}")


def wrong_arguments(
    function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[list[str], list[str]]:
    """Return what is wrong with the arguments of a call, and the names of those that are missing.

    Args:
        function: the callable; nothing is wrong where its signature is not known.
        args: arguments in order.
        kwargs: arguments by name.

    Returns:
        Phrases such as ``takes no 'x' (did you mean 'y'?)``, and names.
    """
    try:
        known = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return [], []
    kinds = {one.kind for one in known}
    placed = [one.name for one in known if one.kind in _PLACED]
    named = [one.name for one in known if one.kind in _NAMED]
    wrong = []
    if len(args) > len(placed) and inspect.Parameter.VAR_POSITIONAL not in kinds:
        wrong.append(f"takes ({', '.join(placed)}) in order, not {len(args)} arguments")
    if inspect.Parameter.VAR_KEYWORD not in kinds:
        others = f"; it takes {', '.join(named[:_MOST_NAMED])}" if named else ""
        wrong += [
            f"takes no '{key}'{nearest(key, named) or others}"
            for key in kwargs
            if key not in named or key in placed[: len(args)]
        ]
    given = {*placed[: len(args)], *kwargs}
    missing = [
        one.name
        for one in known
        if one.kind in _PLACED | _NAMED
        and one.default is inspect.Parameter.empty
        and one.name not in given
    ]
    return wrong, missing


def _beside(
    module: nn.Module, arguments: tuple[tuple[Any, ...], dict[str, Any]]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments on the module's device, without data where they were elsewhere."""
    import torch
    from torch.utils import _pytree as pytree

    devices = {tensor.device for tensor in (*module.parameters(), *module.buffers())}
    if len(devices) != 1:
        return arguments
    (device,) = devices

    def move(leaf: Any) -> Any:
        if isinstance(leaf, torch.Tensor) and leaf.device != device:
            return torch.empty_like(leaf, device=device)
        return leaf

    moved: tuple[tuple[Any, ...], dict[str, Any]] = pytree.tree_map(move, arguments)
    return moved


def walk_program(
    name: str,
    layers: Collection[str],
    program: ExportedProgram,
    batch: int,
    given: bool,
    unread: list[tuple[str, int]] | None = None,
) -> Graph:
    """Return the operators of an exported program; see `trace`.

    Args:
        name: name of the graph.
        layers: paths of the modules that are one operator each.
        program: exported program, or what has its graph and signature.
        batch: samples in the example.
        given: whether any edge of an input may hold them, not the first alone.
        unread: gets the parameters that no operator reads, and the elements of each.
    """
    import torch
    from torch.export.graph_signature import InputKind

    emitter = Emitter(name, layers, batch)
    values: list[Any] = []
    entering: list[Value] = []
    held: dict[str, Value] = {}
    nodes = [node for node in program.graph.nodes if node.op == "placeholder"]
    for node, spec in zip(nodes, program.graph_signature.input_specs, strict=True):
        example = node.meta.get("val")
        if not isinstance(example, torch.Tensor):
            values.append(example)
        elif spec.kind is InputKind.USER_INPUT:
            shape = shape_of(example)
            batched = batch in shape if given else bool(shape) and shape[0] == batch
            entering.append(emitter.input(shape, batched))
            values.append(entering[-1])
        else:
            label = str(spec.target)
            buffer = spec.kind is not InputKind.PARAMETER
            if label not in held:
                held[label] = emitter.weight(label, shape_of(example), buffer=buffer)
            values.append(held[label])
    program.graph.eliminate_dead_code()
    outputs = Walk(emitter).run(program.graph_module, values, None)
    if unread is not None:
        unread += emitter.unread()
    return emitter.graph(flat(outputs), _sample_shape(entering, batch))


def _layers(module: nn.Module) -> set[str]:
    """Return the paths of torch's own modules that hold no others."""
    return {
        path
        for path, part in module.named_modules()
        if path and type(part).__module__.startswith("torch.nn") and not list(part.children())
    }


def _sample_shape(entering: list[Value], batch: int) -> tuple[int, ...]:
    """Return the shape of one input sample; of several tensors, all their elements."""
    shapes = []
    for value in entering:
        shape = list(value.shape)
        if value.batched:
            shape.remove(batch)
        shapes.append((*shape, 2) if isinstance(value.shape, ComplexShape) else tuple(shape))
    return shapes[0] if len(shapes) == 1 else (sum(prod(shape) for shape in shapes),)


def _export(
    name: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> ExportedProgram:
    import torch

    try:
        with unchanged(module), _quiet(), torch.no_grad():
            module.eval()
            return torch.export.export(module, args, kwargs, strict=False)
    except Exception as error:
        raise InputError(_explain(name, module, error)) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch from writing pages about what one message will say."""
    logger = logging.getLogger("torch")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _explain(name: str, module: nn.Module, error: Exception) -> str:
    import torch

    where = _place(module, error)
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    guard = torch.fx.experimental.symbolic_shapes.GuardOnDataDependentSymNode
    if isinstance(error, guard):
        return (
            f"model '{name}': what runs next depends on the data{where}; a graph has no branches. "
            "Decide by a shape or a setting instead, or trace the part before and the part after"
        )
    return f"model '{name}' cannot be traced{where}: {type(error).__name__}: {first}"


def _place(module: nn.Module, error: Exception) -> str:
    """Return `` at file:line (code)`` of the innermost frame in the module's own files."""
    import torch

    inside = os.path.dirname(torch.__file__)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((inside, "<")) and frame.filename != __file__
    ]
    own = set()
    for part in module.modules():
        with contextlib.suppress(TypeError, OSError):
            own.add(inspect.getfile(type(part)))
    chosen = [frame for frame in frames if frame.filename in own] or frames
    if not chosen:
        return ""
    return f" at {chosen[-1].filename}:{chosen[-1].lineno} (`{chosen[-1].line}`)"
