"""Modules in the form in which they are deployed: what was split for training is merged."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import nn

Mode = Literal["auto"] | bool
"""Whether to merge: ``auto`` where it can be done, ``True`` it must be done."""

METHODS = ("fuse", "reparameterize", "switch_to_deploy", "merge_kernel")
"""Methods by which modules merge their branches, as timm and public code name them.

``fuse`` (LeViT, TinyViT, RepViT) may return a module that takes its place; ``reparameterize``
(MobileOne, FastViT), ``switch_to_deploy`` (RepVGG and its descendants) and ``merge_kernel``
(RepLKNet) change the module itself.
"""


class NotDeployedError(RuntimeError):
    """A module cannot be merged, and may be half merged now."""


def deploy(module: nn.Module) -> str:
    """Merge the branches of a module's parts, in place; return what was done, empty for nothing.

    Each part with one of `METHODS` that needs no arguments is merged, outer parts first, then those
    in what is left; the module itself only where none of its parts is.

    Raises:
        NotDeployedError: one of the methods failed.
    """
    import torch

    before = _params(module)
    done: Counter[str] = Counter()
    module.eval()
    with torch.no_grad():
        _merge_parts(module, done)
        method = None if done else _method(module)
        if method is not None:
            _call(module, method, done)
    if not done:
        return ""
    calls = ", ".join(f"{number} x {name}" for name, number in done.items())
    after = _params(module)
    return f"merged for deployment: {calls}; {before:,} parameters are {after:,} now"


def training_form(module: nn.Module) -> str:
    """Return which parts have branches that could be merged; empty for none."""
    found = Counter(
        f"{type(part).__name__}.{method}" for part in module.modules() if (method := _method(part))
    )
    calls = ", ".join(f"{number} x {name}" for name, number in found.items())
    return f"counted as it is trained: branches could be merged by {calls}" if calls else ""


def _merge_parts(module: nn.Module, done: Counter[str]) -> None:
    for name, part in list(module.named_children()):
        method = _method(part)
        if method is not None:
            made = _call(part, method, done)
            if made is not None:
                setattr(module, name, made)
                part = made
        _merge_parts(part, done)


def _method(part: nn.Module) -> str | None:
    """Return the method by which a part merges its branches; None where it has none."""
    if type(part).__module__.partition(".")[0] == "torch":
        return None
    for name in METHODS:
        found = getattr(part, name, None)
        if inspect.ismethod(found) and not any(_needed(found)):
            return name
    return None


def _needed(method: Any) -> Iterator[str]:
    for one in inspect.signature(method).parameters.values():
        if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
            yield one.name


def _call(part: nn.Module, method: str, done: Counter[str]) -> nn.Module | None:
    """Call a method; return the module that takes the part's place, if any."""
    import torch

    name = f"{type(part).__name__}.{method}"
    try:
        made = getattr(part, method)()
    except Exception as error:
        first = (str(error).strip() or "nothing said").splitlines()[0][:200]
        raise NotDeployedError(f"{name}() failed: {type(error).__name__}: {first}") from error
    done[name] += 1
    return made if isinstance(made, torch.nn.Module) and made is not part else None


def _params(module: nn.Module) -> int:
    return sum(one.numel() for one in module.parameters())
