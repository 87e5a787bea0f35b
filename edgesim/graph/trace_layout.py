"""Which changes of layout move data, of those that an exported program asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, fx


def moves_rows(node: fx.Node) -> bool:
    """Return whether a node must copy, and what it copies are whole rows of the last axis.

    So do windows of a map in channels-last order, and shuffled channels. The last axis is that of
    the operator before all views, of the node, and of the views after it. Where it changes (heads
    are split off or joined, places swap with channels) the kernel before or after reads and
    writes in the other order, as fused attention does; broadcast data are read where they are.
    """
    source, out = _value(node.args[0]), _value(node)
    if source is None or out is None or source.ndim == 0 or out.ndim == 0:
        return False
    row = source.shape[-1]
    strides = list(zip(source.shape, source.stride(), strict=True))
    if row < 2 or source.stride(-1) != 1 or any(step == 0 < edge - 1 for edge, step in strides):
        return False
    return (
        not _is_viewed(source, tuple(out.shape))
        and _first(node).shape[-1:] == (row,)
        and _last(node).shape[-1:] == (row,)
    )


def _value(node: Any) -> Tensor | None:
    import torch

    value = getattr(node, "meta", {}).get("val")
    return value if isinstance(value, torch.Tensor) else None


def _is_viewed(source: Tensor, shape: tuple[int, ...]) -> bool:
    """Return whether a tensor of the strides of ``source`` can be seen in another shape."""
    import torch

    if tuple(source.shape) == shape:
        return source.is_contiguous()
    empty = torch.empty_strided(source.shape, source.stride(), device="meta")
    try:
        empty.view(shape)
    except RuntimeError:
        return False
    return True


def _first(node: fx.Node) -> Tensor:
    """Return what the views before a node begin with."""
    source: Any = node.args[0]
    while getattr(source.target, "is_view", False) and _value(source.args[0]) is not None:
        source = source.args[0]
    found = _value(source)
    assert found is not None
    return found


def _last(node: fx.Node) -> Tensor:
    """Return what the views after a node end with, while nothing else reads it."""
    while len(node.users) == 1:
        (reader,) = node.users
        if not getattr(reader.target, "is_view", False) or _value(reader) is None:
            break
        node = reader
    found = _value(node)
    assert found is not None
    return found
