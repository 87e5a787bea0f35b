"""Models of a study that are traced: read before its points, which then find them in the cache."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from edgesim.graph.sources import SOURCES
from edgesim.placement import Model
from edgesim.scenario.document import ScenarioError
from edgesim.sweep.study import Settings, Study

_KINDS = frozenset(kind for kind, source in SOURCES.items() if source.job is not None)
_MOST_POINTS = 1_000
_MOST_MODELS = 50


def traced_models(study: Study) -> Iterator[Model]:
    """Give the models of a study's points that are traced, each once.

    Points that differ in keys of ``model`` have models of their own. The first thousand points are
    looked at, of which fifty models; a point that is wrong gives none.
    """
    base = _is_traced(study.base.document.data.get("model"))
    seen: set[str] = set()
    for point in range(min(study.size, _MOST_POINTS)):
        chosen = _of_model(study.settings(study.points.at(point)))
        if repr(chosen) in seen or not (base or any(_names_source(*one) for one in chosen)):
            continue
        seen.add(repr(chosen))
        with contextlib.suppress(ScenarioError):
            model = study.scenario(point).placement.model
            if model.how:
                yield model
        if len(seen) == _MOST_MODELS:
            return


def _of_model(settings: Settings) -> list[tuple[str, Any]]:
    return [(key, value) for key, value in settings if key.partition(".")[0] == "model"]


def _names_source(key: str, value: Any) -> bool:
    return key.partition(".")[2] in _KINDS or (key == "model" and _is_traced(value))


def _is_traced(model: Any) -> bool:
    return isinstance(model, Mapping) and any(model.get(kind) is not None for kind in _KINDS)
