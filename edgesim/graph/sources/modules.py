"""Modules that code builds: the user's callable, or timm's; on ``meta`` first, else on the CPU."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgesim.common.errors import InputError, nearest
from edgesim.common.text import described
from edgesim.graph.graph import Graph
from edgesim.graph.sources import inputs
from edgesim.graph.sources.deploy import METHODS, Mode, NotDeployedError, deploy, training_form
from edgesim.graph.sources.watch import NetworkError, is_installed
from edgesim.graph.trace import trace, wrong_arguments

if TYPE_CHECKING:
    from torch import nn

_EDGESIM = str(Path(__file__).parents[2])
_MOST_FRAMES = 6
_MOST_NAMES = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a module is traced.

    Attributes:
        shapes: ``input``; or what finds it in the module.
        name: name of the graph; the module's class unless given.
        reparameterize: whether branches for training are merged: ``auto`` where that can be done.
    """

    shapes: Any
    name: str | None
    reparameterize: Mode

    def shapes_of(self, module: nn.Module) -> Any:
        """Return ``input`` of a module."""
        return self.shapes(module) if callable(self.shapes) else self.shapes


@dataclass(frozen=True, slots=True)
class Traced:
    """A module that was traced.

    Attributes:
        graph: its operators.
        notes: sentences on what was done to the module, and on what is left out.
        merged: whether branches for training were merged.
    """

    graph: Graph
    notes: tuple[str, ...] = ()
    merged: bool = False


def of_timm(job: dict[str, Any]) -> Traced:
    """Return a model of timm, traced without its weights."""
    timm: Any = importlib.import_module("timm")
    name = job["name"]
    base = name.partition(".")[0]
    if not timm.is_model(base):
        near = nearest(base, timm.list_models())
        raise InputError(f"timm {timm.__version__} has no model '{name}'{near}")
    given = dict(job["arguments"])
    if job["classes"] is not None:
        given["num_classes"] = job["classes"]

    def make() -> nn.Module:
        made: nn.Module = timm.create_model(name, pretrained=False, **given)
        return made

    wanted = Wanted(job["input"] or _size_of_timm, name, job.get("reparameterize", "auto"))
    return _graph(make, wanted, f"timm:{name}", ("timm", "torch"))


def _size_of_timm(module: nn.Module) -> list[int]:
    configuration = getattr(module, "pretrained_cfg", None) or {}
    return list(configuration.get("input_size") or (3, 224, 224))


def of_user(job: dict[str, Any]) -> Traced:
    """Return the module that a callable of the user returns, traced."""
    import torch

    with _explained("cannot be imported"):
        made = _find(job)
    name = job["callable"]
    if isinstance(made, torch.nn.Module):
        module = made
        make: Callable[[], nn.Module] = lambda: module  # noqa: E731
    elif not callable(made):
        raise InputError(
            f"'{name}' is {described(made)}; expected a callable that returns a module"
        )
    else:
        _check_arguments(name, made, job["arguments"])

        def make() -> nn.Module:
            module = made(**job["arguments"])
            if not isinstance(module, torch.nn.Module):
                raise InputError(
                    f"'{name}' returned {type(module).__name__}; expected a torch.nn.Module"
                )
            return module

    where = os.path.basename(job["place"])
    wanted = Wanted(job["input"], None, job.get("reparameterize", "auto"))
    return _graph(make, wanted, f"torch:{where}:{name}", ("torch",))


def _find(job: dict[str, Any]) -> Any:
    """Import the user's file or package; return what the callable's name stands for."""
    place, name = job["place"], job["callable"]
    if not os.path.isabs(place):
        sys.path.insert(0, job["folder"])
        module = importlib.import_module(place)
    else:
        file = Path(place)
        root, parts = file.parent, [file.stem]
        while (root / "__init__.py").exists():
            # A file of a package may import its neighbours.
            parts.insert(0, root.name)
            root = root.parent
        sys.path.insert(0, str(root))
        full = ".".join(parts)
        spec = importlib.util.spec_from_file_location(full, file)
        if len(parts) > 1 or spec is None or spec.loader is None:
            module = importlib.import_module(full)
        else:
            module = importlib.util.module_from_spec(spec)
            sys.modules[full] = module
            spec.loader.exec_module(module)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            known = [one for one in vars(found) if not one.startswith("_")]
            raise InputError(f"no '{part}' in {os.path.basename(place)}{nearest(part, known)}")
        found = getattr(found, part)
    return found


def _check_arguments(name: str, made: Callable[..., Any], given: dict[str, Any]) -> None:
    """Check that a callable takes the arguments, and needs no others."""
    wrong, missing = wrong_arguments(made, (), given)
    if missing:
        values = ", ".join(f"{one}: …" for one in missing)
        named = ", ".join(f"'{one}'" for one in missing)
        wrong.append(f"needs {named}: give 'arguments' (--arguments '{{{values}}}')")
    if wrong:
        raise InputError(f"'{name}{inspect.signature(made)}' {'; it '.join(wrong)}")


def _graph(
    make: Callable[[], nn.Module], wanted: Wanted, source: str, packages: tuple[str, ...]
) -> Traced:
    """Build a module and trace it; again on the CPU where ``meta`` does not do.

    Args:
        make: makes the module.
        wanted: how it is traced.
        source: what it is called.
        packages: packages whose version is told with it.
    """
    from edgesim.graph.sources.cache import version

    found = None
    for device in ("meta", "cpu"):
        last = device == "cpu"
        try:
            found = _on(device, make, wanted, last)
            break
        except NetworkError:
            raise
        except InputError:
            if last:
                raise
    assert found is not None
    form = " (deployed form)" if found.merged else ""
    versions = ", ".join(f"{one} {version(one)}" for one in packages)
    found.graph.source = f"{source}{form}, {versions}"
    return found


def _on(device: str, make: Callable[[], nn.Module], wanted: Wanted, last: bool) -> Traced:
    """Build a module on a device, in the form that is wanted, and trace it.

    Raises:
        InputError: it cannot be built, merged or traced there.
    """
    import torch

    with torch.device(device), _explained("cannot be built"):
        module = make()
        done = failed = ""
        if wanted.reparameterize is not False:
            try:
                done = deploy(module)
            except NotDeployedError as error:
                if wanted.reparameterize is True or not last:
                    raise InputError(f"reparameterize: {error}") from None
                # It may be half merged.
                module, failed = make(), f"not merged for deployment: {error}"
        if wanted.reparameterize is True and not done:
            raise InputError(
                "reparameterize: no part of the module has a method that merges its branches: "
                f"{', '.join(METHODS)}, without arguments"
            )
        left = training_form(module)
        shapes = wanted.shapes_of(module)
        example = inputs.example(shapes)
    unread: list[tuple[str, int]] = []
    graph = _traced(module, example, wanted.name, shapes, unread)
    notes = (done, failed, "" if done else left, _unread(unread))
    return Traced(graph, tuple(note for note in notes if note), bool(done))


def _unread(unread: Sequence[tuple[str, int]]) -> str:
    """Return a sentence on the parameters that no operator reads."""
    if not unread:
        return ""
    names = ", ".join(name for name, _ in unread[:_MOST_NAMES])
    more = f" and {len(unread) - _MOST_NAMES} more" if len(unread) > _MOST_NAMES else ""
    total = sum(number for _, number in unread)
    return f"{total:,} parameters are never read: {names}{more}"


def _traced(
    module: nn.Module, example: Any, name: str | None, shapes: Any, unread: list[tuple[str, int]]
) -> Graph:
    try:
        return trace(module, example, name=name, unread=unread)
    except InputError as error:
        raise InputError(
            f"{error}; the input was {inputs.text(shapes)}, without the batch"
        ) from None


@contextlib.contextmanager
def _explained(what: str) -> Any:
    """Turn whatever the user's code raises into a message with its traceback."""
    try:
        yield
    except (InputError, NetworkError):
        raise
    except SystemExit as error:
        raise InputError(
            f"the code wants to end with status {error.code!r}{_trail(error)}"
        ) from None
    except BaseException as error:
        text = "".join(traceback.format_exception_only(error)).strip().splitlines()
        first = text[-1] if isinstance(error, SyntaxError) else text[0]
        raise InputError(f"{what}: {first[:500]}{_trail(error)}") from None


def _trail(error: BaseException) -> str:
    """Return the frames of the user's code, as in a traceback, and where in a package it ended."""
    import torch

    inside = (os.path.dirname(torch.__file__), _EDGESIM, "<", os.path.dirname(importlib.__file__))
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(inside)
    ]
    own = [frame for frame in frames if not is_installed(frame.filename)]
    lines = [
        f'\n  File "{frame.filename}", line {frame.lineno}, in {frame.name}\n    {frame.line}'
        for frame in [*own[-_MOST_FRAMES:], *(frames[-1:] if frames[-1:] != own[-1:] else ())]
    ]
    if isinstance(error, SyntaxError) and error.filename:
        lines.append(
            f'\n  File "{error.filename}", line {error.lineno}\n    {(error.text or "").strip()}'
        )
    return "".join(lines)
