"""Metrics: figures of a result, each with its unit, its meaning and how it is computed.

Metrics stand in sections, and sections in sections, as in ``summary.json``; the tree of all is in
`edgesim.results.summary`. The summary itself, its JSON Schema, the columns of studies, the tables
of the console, the page and notebooks, and the reference of the documentation are made by walking
it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar

from edgesim.common.text import in_unit, percent

Source = TypeVar("Source")
"""Object that a metric is computed from."""
Kind = Literal[
    "number",
    "share",
    "whole",
    "flag",
    "text",
    "texts",
    "numbers",
    "wholes",
    "intervals",
    "range",
    "ranges",
    "any",
]
"""Of a value; ``texts`` is a list, the next three and ``ranges`` are mappings by name, an end of a
``range`` may be null, ``any`` is plain data."""
Place = Literal["console", "page", "notebook", "compared"]
"""Where a metric stands in a table; ``compared`` is beside the same metric of real nodes."""

SCALARS = ("number", "share", "whole", "flag", "text")

_NOTHING = ("-", "0", "0 s")
_NO_ROWS: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Metric(Generic[Source]):
    """One figure of a result.

    Attributes:
        name: last part of its path.
        unit: SI unit of its value; empty where it has none.
        meaning: definition of the metric.
        count: computes it; if None, it is the attribute or entry of its source of the same name.
        kind: type of its value.
        null: when it is null; nothing where it never is.
        optional: it is left out of the summary where it is null.
        column: whether a study can keep it.
        heading: heading in tables.
        places: tables that show it.
        limit: name of the metric beside it that it cannot exceed; tables show both in one cell.
        quiet: its column is left out of a table in which all its values are null or 0.
        card: its place among the cards at the top of the page; 0 where it is none.
        form: writes its value for people; by kind and unit if None.
    """

    name: str
    unit: str
    meaning: str
    count: Callable[[Source], Any] | None = None
    kind: Kind = "number"
    null: str = ""
    optional: bool = False
    column: bool = True
    heading: str = ""
    places: tuple[Place, ...] = ()
    limit: str = ""
    quiet: bool = False
    card: int = 0
    form: Callable[[Any], str] | None = None

    def of(self, source: Source) -> Any:
        """Return its value, computed from ``source``."""
        if self.count is not None:
            return self.count(source)
        return source[self.name] if isinstance(source, Mapping) else getattr(source, self.name)

    def text(self, value: Any) -> str:
        """Return a value as people read it; a dash for None."""
        if value is None:
            return "-"
        if self.form is not None:
            return self.form(value)
        if self.kind == "share":
            return percent(value)
        if self.kind == "number":
            return in_unit(value, self.unit)
        return f"{value:,}" if self.kind == "whole" else str(value)

    def cell(self, row: Mapping[str, Any]) -> str:
        """Return its text in a table, of an entry of the summary."""
        text = self.text(row[self.name])
        limit = row.get(self.limit)
        return text if limit is None else f"{text} of {self.text(limit)}"


@dataclass(frozen=True, slots=True)
class Section(Generic[Source]):
    """Metrics that stand together, a mapping of the summary.

    Attributes:
        name: last part of its path.
        meaning: definition of the section.
        parts: metrics and sections, in order.
        count: makes the source of its parts; None where the section is null. Of a section
            ``each``: the source of every entry, by its name.
        each: what has an entry: ``node``; nothing where the section is one mapping.
        null: when it is null; nothing where it never is.
        optional: it is left out of the summary where it is null.
    """

    name: str
    meaning: str
    parts: tuple[Metric[Any] | Section[Any], ...]
    count: Callable[[Source], Any] | None = None
    each: str = ""
    null: str = ""
    optional: bool = False

    def counted(self, count: Callable[[Any], Any]) -> Section[Any]:
        """Return it with the function that makes the source of its parts."""
        return replace(self, count=count)

    def of(self, source: Source) -> dict[str, Any] | None:
        """Return its mapping, computed from ``source``; None where it is null."""
        found: Any = source if self.count is None else self.count(source)
        if found is None:
            return None
        if self.each:
            return {name: self._entry(one) for name, one in found.items()}
        return self._entry(found)

    def _entry(self, source: Any) -> dict[str, Any]:
        found = {part.name: part.of(source) for part in self.parts}
        for part in self.parts:
            if part.optional and found[part.name] is None:
                del found[part.name]
        return found

    @property
    def metrics(self) -> tuple[Metric[Any], ...]:
        """Its own metrics, without those of the sections in it."""
        return tuple(part for part in self.parts if isinstance(part, Metric))

    def part(self, *path: str) -> Metric[Any] | Section[Any]:
        """Return a metric or section by its path from here, without names of entries.

        Raises:
            KeyError: there is none.
        """
        found: Metric[Any] | Section[Any] = self
        for name in path:
            parts = found.parts if isinstance(found, Section) else ()
            found = {part.name: part for part in parts}[name]
        return found

    def shown(self, place: Place, rows: Mapping[str, Any] = _NO_ROWS) -> list[Metric[Any]]:
        """Return its own metrics that stand in a table, in order.

        Args:
            place: table that asks.
            rows: entries that the table shows.
        """

        def silent(one: Metric[Any]) -> bool:
            return one.quiet and all(one.text(row[one.name]) in _NOTHING for row in rows.values())

        return [one for one in self.metrics if place in one.places and not silent(one)]

    def singles(self, place: Place) -> Iterator[tuple[tuple[str, ...], Metric[Any]]]:
        """Yield the metrics of no entry that stand in a table, with their paths."""
        for path, metric in self.walk():
            if place in metric.places and "*" not in path:
                yield path, metric

    def walk(self, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Metric[Any]]]:
        """Yield every metric below with its path; ``*`` stands for the name of an entry."""
        for part in self.parts:
            here = (*path, part.name)
            if isinstance(part, Metric):
                yield here, part
            else:
                yield from part.walk((*here, "*") if part.each else here)


_NUMBER = {"type": "number"}
_INTERVAL = {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2}
_RANGE = {
    "type": "array",
    "items": {"type": ["number", "null"]},
    "minItems": 2,
    "maxItems": 2,
}
_TYPES: Mapping[Kind, Mapping[str, Any]] = {
    "number": _NUMBER,
    "share": _NUMBER,
    "whole": {"type": "integer"},
    "flag": {"type": "boolean"},
    "text": {"type": "string"},
    "texts": {"type": "array", "items": {"type": "string"}},
    "numbers": {"type": "object", "additionalProperties": _NUMBER},
    "wholes": {"type": "object", "additionalProperties": {"type": "integer"}},
    "intervals": {
        "type": "object",
        "additionalProperties": {"anyOf": [_INTERVAL, {"type": "null"}]},
    },
    "range": _RANGE,
    "ranges": {
        "type": "object",
        "additionalProperties": {"anyOf": [_RANGE, {"type": "null"}]},
    },
    "any": {"type": "object"},
}


def json_schema(title: str, part: Metric[Any] | Section[Any]) -> dict[str, Any]:
    """Return the JSON Schema of a document; each key says what it means and when it is null."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, "title": title, **_part(part)}


def _part(part: Metric[Any] | Section[Any]) -> dict[str, Any]:
    if isinstance(part, Metric):
        found = dict(_TYPES[part.kind])
        if part.null and part.kind == "numbers":
            found["additionalProperties"] = _or_null(_NUMBER)
    else:
        entry = {
            "type": "object",
            "properties": {one.name: _part(one) for one in part.parts},
            "required": [one.name for one in part.parts if not one.optional],
            "additionalProperties": False,
        }
        found = {"type": "object", "additionalProperties": entry} if part.each else entry
    if part.null and not part.optional and getattr(part, "kind", "") != "numbers":
        found = _or_null(found)
    unit = f" In {part.unit}." if isinstance(part, Metric) and part.unit else ""
    absence = f" {'Left out' if part.optional else 'Null'}: {part.null}." if part.null else ""
    return {"description": f"{part.meaning}{unit}{absence}", **found}


def _or_null(found: Mapping[str, Any]) -> dict[str, Any]:
    return {"anyOf": [dict(found), {"type": "null"}]}
