"""Leaves a module as it was: what tracing writes into its attributes is taken back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

_Content = tuple[Any, ...] | dict[Any, Any]


@contextlib.contextmanager
def unchanged(module: nn.Module) -> Iterator[None]:
    """Restore, at the end, the attributes of a module and of all that it holds.

    A forward pass may keep state in attributes: sizes that it saw, a table that all blocks share.
    Restored are the attributes of every module in it and of every object whose class comes from
    the same packages, and what their dictionaries, lists and sets hold, also those that several
    modules share. Tensors are not copied: an export computes nothing, so none is written.
    """
    found: list[tuple[Any, _Content]] = []
    _note(module, found)
    try:
        yield
    finally:
        for holder, content in found:
            if isinstance(holder, list):
                holder[:] = content
            else:
                holder.clear()
                holder.update(content)


def _note(module: nn.Module, found: list[tuple[Any, _Content]]) -> None:
    """Remember what everything that ``module`` holds contains."""
    import torch

    packages = {type(part).__module__.partition(".")[0] for part in module.modules()} - {"torch"}
    seen: set[int] = set()
    waiting: list[Any] = [module]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, (torch.Tensor, type)):
            continue
        seen.add(id(one))
        if isinstance(one, dict):
            found.append((one, dict(one)))
            waiting.extend(one.values())
        elif isinstance(one, (list, set)):
            found.append((one, tuple(one)))
            waiting.extend(one)
        elif isinstance(one, (tuple, frozenset)):
            waiting.extend(one)
        elif isinstance(one, (torch.nn.Module, SimpleNamespace)) or (
            type(one).__module__.partition(".")[0] in packages and hasattr(one, "__dict__")
        ):
            waiting.append(vars(one))
