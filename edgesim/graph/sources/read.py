"""Reads a model's source, whatever it is, as a graph; traces are cached."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from edgesim.common.errors import InputError
from edgesim.common.text import duration
from edgesim.common.validation import Problem, path_text, read_section
from edgesim.graph import file, zoo
from edgesim.graph.compress import compress
from edgesim.graph.graph import Graph
from edgesim.graph.sources import cache, process
from edgesim.graph.sources.keys import SourceKeys
from edgesim.graph.sources.registry import SOURCES, Job, job_of, key_of
from edgesim.graph.up_to import up_to

SUFFIXES = {".pt2": "exported", ".onnx": "onnx", ".graph.json": "graph", ".json": "graph"}
"""Ends of files that have an own source."""


class SourceError(InputError):
    """A key of a model is wrong.

    Attributes:
        problems: what is wrong, by the key that it is of.
    """

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(message for _, message in problems))


@dataclass(frozen=True, slots=True)
class Source:
    """A model that was read.

    Attributes:
        graph: operators of the model.
        kind: key of the source, such as ``timm``.
        traced_s: time that the trace took, in seconds; None where none was needed.
        cached: whether the trace came from the cache, and was not made by this process.
        notes: sentences on what was done to a module that was traced, and what is left out.
    """

    graph: Graph
    kind: str
    traced_s: float | None = None
    cached: bool = False
    notes: tuple[str, ...] = ()

    @property
    def how(self) -> str:
        """How the graph came to be: ``traced in 3.1 s`` or ``from cache``; empty for files."""
        if self.cached:
            return "from cache"
        return "" if self.traced_s is None else f"traced in {duration(self.traced_s)}"


def given(keys: SourceKeys) -> list[str]:
    """Return which sources are given."""
    return [kind for kind in SOURCES if getattr(keys, kind) is not None]


def foreign(kind: str, keys: SourceKeys) -> list[tuple[str, str]]:
    """Return the keys that are given and do not go with a source, each with a message."""
    every = dict.fromkeys(key for source in SOURCES.values() for key in source.takes)
    found = []
    for key in every:
        if getattr(keys, key) is None or key in SOURCES[kind].takes:
            continue
        others = " or ".join(f"'{one}'" for one, source in SOURCES.items() if key in source.takes)
        hint = "; put it into 'arguments'" if "arguments" in SOURCES[kind].takes else ""
        found.append((key, f"'{key}' belongs to {others}, not to '{kind}'{hint}"))
    return found


def read(keys: SourceKeys, folder: Path = Path(), *, use: cache.Use | None = None) -> Source:
    """Return a model from its source.

    Args:
        keys: one source, and what goes with it.
        folder: folder that paths are relative to.
        use: time limit, and where traces are cached; those of the environment unless given.

    Raises:
        SourceError: keys do not go together.
        InputError: the model cannot be read or traced.
    """
    kinds = given(keys)
    if len(kinds) != 1:
        came = " and ".join(f"'{kind}'" for kind in kinds) or "none"
        raise SourceError([("", f"expected one of {', '.join(SOURCES)}, got {came}")])
    (kind,) = kinds
    wrong = foreign(kind, keys)
    if wrong:
        raise SourceError(wrong)
    if kind == "name":
        assert keys.name is not None
        found = Source(zoo.build(keys.name, **keys.options()), kind)
    elif kind == "graph":
        assert keys.graph is not None
        found = Source(Graph.load(folder / keys.graph), kind)
    else:
        found = _traced(job_of(kind, keys, folder), use or cache.Use.of_environment())
    return replace(found, graph=transformed(found.graph, keys))


def transformed(graph: Graph, keys: SourceKeys) -> Graph:
    """Return what the keys of a model make of the graph of its source, in their order.

    The one place for it: transforms see every source alike, and the cache holds none of them.
    """
    if keys.up_to is not None:
        graph = _changed("up_to", partial(up_to, graph, keys.up_to))
    if keys.compress is not None:
        graph = _changed("compress", partial(compress, graph, keys.compress))
    return graph


def _changed(key: str, change: Callable[[], Graph]) -> Graph:
    """Return what a change makes of a graph; what is wrong with it is of its key."""
    try:
        return change()
    except InputError as error:
        raise SourceError([(key, str(error))]) from None


_TOOK_S: dict[str, float] = {}
"""Time of each trace that this process made: a study reads its models more than once."""


def _traced(job: Job, use: cache.Use) -> Source:
    key = key_of(job)
    known = _known(key, use.folder)
    if known is not None and cache.is_current(known[1]):
        took_s = _TOOK_S.get(key)
        notes = _notes(known[1])
        return Source(known[0], job["kind"], traced_s=took_s, cached=took_s is None, notes=notes)
    begun_s = time.perf_counter()
    answer = process.ask(job, limit_s=use.limit_s)
    graph = _graph(answer, "the trace")
    cache.put(use.folder, key, answer)
    _known.cache_clear()
    took_s = _TOOK_S[key] = time.perf_counter() - begun_s
    return Source(graph, job["kind"], traced_s=took_s, notes=_notes(answer))


def _notes(answer: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(map(str, answer.get("notes", ())))


def _graph(answer: Mapping[str, Any], title: str) -> Graph:
    return Graph.of(file.from_text(answer["graph"], title), title)


@lru_cache(maxsize=16)
def _known(key: str, folder: Path | None) -> tuple[Graph, Mapping[str, Any]] | None:
    """Return what the cache holds; once in a study that names the same model at every point."""
    answer = cache.get(folder, key)
    if answer is None:
        return None
    try:
        return _graph(answer, "the cache"), answer
    except InputError:
        # It was damaged: traced anew.
        return None


def from_text(text: str, **options: Any) -> SourceKeys:
    """Return the keys that a source on the command line stands for.

    Args:
        text: ``NAME`` of the catalog, ``timm:NAME``, ``torch:FILE.py:CALLABLE``,
            ``exported:FILE``, ``graph:FILE``.
        options: other keys; None where they are not given.

    Raises:
        InputError: it is none of these, or an option is wrong.
    """
    kind, colon, rest = text.partition(":")
    if not colon or kind not in SOURCES:
        kind, rest = "name", text
        if text not in zoo.names():
            raise InputError(_unknown(text))
    data = {kind: rest, **{name: one for name, one in options.items() if one is not None}}
    found: list[Problem] = []
    keys = read_section(SourceKeys, data, found)
    if keys is None:
        raise InputError("\n".join(f"{_title(one, kind, text)}: {one.message}" for one in found))
    return keys


def _title(problem: Problem, kind: str, text: str) -> str:
    """Return what a message calls the place of a problem on the command line."""
    first, *rest = problem.path or (kind,)
    return text if first == kind else path_text((f"--{first}".replace("_", "-"), *rest))


def _unknown(text: str) -> str:
    others = ", ".join(source.spec for kind, source in SOURCES.items() if kind != "name")
    for suffix, kind in SUFFIXES.items():
        if text.endswith(suffix):
            return f"no model is named '{text}' (did you mean '{kind}:{text}'?)"
    if ".py:" in text:
        return f"no model is named '{text}' (did you mean 'torch:{text}'?)"
    try:
        zoo.info(text)
    except InputError as error:
        return f"{error}; other models: {others}"
    raise AssertionError(text)
