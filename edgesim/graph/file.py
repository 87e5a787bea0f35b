"""The file of a graph: JSON that `edgesim trace` and `Graph.save` write, one operator a line.

::

    {"schema": 1, "kind": "graph", "name": "net", "input_shape": [3, 32, 32],
     "input_readers": ["stem"], "outputs": ["head"], "ops": [
      {"name": "stem", "kind": "conv", "macs": 884736, …, "conv": {"in_channels": 3, …}},
      {"name": "head", "kind": "linear", …, "matmul": {"rows": 1, …}, "inputs": ["stem"]}
    ]}

Operators are in execution order. ``inputs`` are the operators whose output one reads, the one that
was computed last first. What has its default is left out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, TypedDict

from pydantic import Field

from edgesim.common.errors import InputError, nearest
from edgesim.common.files import LARGEST_BYTES, read_text, write_text
from edgesim.common.text import described
from edgesim.common.validation import NOT_WRITTEN, Problem, key, path_text, read_section, spec
from edgesim.graph.op import Amount, ConvGeometry, MatmulGeometry, Op

SCHEMA = 1
KIND = "graph"
SUFFIX = ".graph.json"
"""End of a graph file's name, by convention."""
MOST_SHOWN = 20
"""Mistakes of one file that a message names."""
_Name = Annotated[str, Field(strict=True, min_length=1, max_length=1000)]


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class OpRow(Op):
    """One operator in a file: the fields of `Op`, and these.

    Attributes:
        conv: shape of a convolution.
        matmul: shape of a matrix product.
        inputs: names of the operators whose output it reads.
    """

    geometry: Annotated[None, key(NOT_WRITTEN)] = None
    conv: ConvGeometry | None = None
    matmul: MatmulGeometry | None = None
    inputs: tuple[_Name, ...] = ()


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class GraphFile:
    """The content of a graph file.

    Attributes:
        name: name of the model.
        source: sentence on where it comes from.
        input_shape: shape of one sample, without batch.
        input_readers: names of the operators that read the input sample.
        outputs: names of the operators whose output leaves the model.
        ops: operators in execution order.
    """

    name: _Name
    source: Annotated[str, Field(strict=True, max_length=10_000)] = ""
    input_shape: Annotated[tuple[Amount, ...], Field(max_length=20)]
    input_readers: tuple[_Name, ...]
    outputs: tuple[_Name, ...]
    ops: Annotated[tuple[OpRow, ...], Field(min_length=1)]


class Content(TypedDict):
    """The arguments that a `edgesim.graph.Graph` is made of."""

    name: str
    source: str
    ops: list[Op]
    edges: list[tuple[str, str]]
    input_shape: tuple[int, ...]
    input_readers: list[str]
    outputs: list[str]


_OP_FIELDS = tuple(one.name for one in fields(Op) if one.name != "geometry")
_GEOMETRIES: Mapping[type, str] = {ConvGeometry: "conv", MatmulGeometry: "matmul"}
_REMEDY = "write it anew with `edgesim trace SPEC -o FILE`"


def to_text(content: Content) -> str:
    """Return the text of a graph file."""
    inputs: dict[str, list[str]] = {op.name: [] for op in content["ops"]}
    for source, target in content["edges"]:
        inputs[target].append(source)
    head: dict[str, Any] = {"schema": SCHEMA, "kind": KIND, "name": content["name"]}
    if content["source"]:
        head["source"] = content["source"]
    head |= {key: content[key] for key in ("input_shape", "input_readers", "outputs")}
    rows = ",\n".join(_compact(_row(op, inputs[op.name])) for op in content["ops"])
    return f'{_compact(head)[:-1]}, "ops": [\n{rows}\n]}}\n'


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _row(op: Op, inputs: list[str]) -> dict[str, Any]:
    row = {
        field.name: getattr(op, field.name)
        for field in fields(Op)
        if field.name != "geometry"
        and (field.default is MISSING or getattr(op, field.name) != field.default)
    }
    if op.geometry is not None:
        row[_GEOMETRIES[type(op.geometry)]] = asdict(op.geometry)
    return row | ({"inputs": inputs} if inputs else {})


def write(path: Path, content: Content) -> None:
    """Write a graph file, whole or not at all.

    Raises:
        EdgesimError: it cannot be written.
    """
    write_text(path, to_text(content))


def read(path: Path) -> Content:
    """Return what a graph file holds, checked.

    Raises:
        InputError: it cannot be read, is none, or is of another version; or the message has a line
            for each mistake.
    """
    return from_text(read_text(path, LARGEST_BYTES, "a graph", regular=True), str(path))


def from_text(text: str, title: str) -> Content:
    """Return what the text of a graph file holds, checked; messages call it ``title``."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(
            f"{title} is no JSON; expected a graph that `edgesim trace` wrote"
        ) from None
    return from_document(document, title)


def from_document(document: Any, title: str) -> Content:
    """Return what the document of a graph file holds, checked; messages call it ``title``.

    Raises:
        InputError: it is none, or is of another version; or a line for each mistake.
    """
    if not isinstance(document, dict) or document.get("kind") != KIND:
        came = described(document)
        if isinstance(document, dict):
            kind = document.get("kind")
            came += " without 'kind'" if kind is None else f" of kind {described(kind)}"
        raise InputError(
            f"{title}: expected a graph that `edgesim trace` wrote, a mapping of kind '{KIND}', "
            f"got {came}"
        )
    if document.get("schema") != SCHEMA or isinstance(document["schema"], bool):
        raise InputError(
            f"{title}: a graph of schema {described(document.get('schema'))}; this edgesim reads "
            f"schema {SCHEMA}: {_REMEDY} of this version"
        )
    found: list[Problem] = []
    rest = {key: value for key, value in document.items() if key not in ("schema", "kind")}
    made = read_section(GraphFile, rest, found)
    if made is not None:
        _check_names(made, found)
    if found or made is None:
        lines = [f"{title}: {path_text(one.path)}: {one.message}" for one in found[:MOST_SHOWN]]
        if len(found) > MOST_SHOWN:
            lines.append(f"… and {len(found) - MOST_SHOWN:,} more; {_REMEDY}")
        raise InputError("\n".join(lines))
    return Content(
        name=made.name,
        source=made.source,
        ops=[_op(row) for row in made.ops],
        edges=[(source, row.name) for row in made.ops for source in row.inputs],
        input_shape=made.input_shape,
        input_readers=list(made.input_readers),
        outputs=list(made.outputs),
    )


def _op(row: OpRow) -> Op:
    given = {name: getattr(row, name) for name in _OP_FIELDS}
    return Op(geometry=row.conv or row.matmul, **given)


def _check_names(made: GraphFile, found: list[Problem]) -> None:
    """Note names that stand twice or name no operator, and operators of two shapes."""
    counted = Counter(row.name for row in made.ops)
    for index, row in enumerate(made.ops):
        if counted[row.name] > 1:
            message = f"{counted[row.name]} operators are named '{row.name}'"
            found.append(Problem(("ops", index, "name"), message))
            counted[row.name] = 1
        if row.conv is not None and row.matmul is not None:
            found.append(Problem(("ops", index), "expected one of 'conv' and 'matmul', got both"))
        _known(row.inputs, ("ops", index, "inputs"), counted, found)
    _known(made.input_readers, ("input_readers",), counted, found)
    _known(made.outputs, ("outputs",), counted, found)


def _known(
    names: Iterable[str], path: tuple[str | int, ...], known: Counter[str], found: list[Problem]
) -> None:
    for index, name in enumerate(names):
        if name not in known:
            message = f"no operator is named '{name}'{nearest(name, list(known))}"
            found.append(Problem((*path, index), message))
