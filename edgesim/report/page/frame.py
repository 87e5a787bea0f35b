"""The frame of a page, and what may stand in it beside tables and charts."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from edgesim.common.text import visible
from edgesim.report.chart import DARK, LIGHT, Chart
from edgesim.report.table import Figure, Table

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True, slots=True)
class Name:
    """A name that someone chose; letters from right to left in it do not turn what is beside."""

    name: str


@dataclass(frozen=True, slots=True, init=False)
class Text:
    """A paragraph of texts, numbers and names.

    Attributes:
        parts: in order.
        style: class: ``dim``, ``warning`` or nothing.
    """

    parts: tuple[str | Figure | Name, ...]
    style: str

    def __init__(self, *parts: str | Figure | Name, style: str = "") -> None:
        object.__setattr__(self, "parts", parts)
        object.__setattr__(self, "style", style)


@dataclass(frozen=True, slots=True)
class Items:
    """A list of sentences."""

    items: Sequence[str]


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading within a section."""

    title: str


@dataclass(frozen=True, slots=True)
class Cards:
    """The numbers at the top of a page: (number, what it is)."""

    cards: Sequence[tuple[Figure, Text]]


@dataclass(frozen=True, slots=True)
class Details:
    """What opens by a click.

    Attributes:
        summary: that is clicked.
        inside: a table, or text with line breaks.
    """

    summary: Text
    inside: Table | str


@dataclass(frozen=True, slots=True)
class View:
    """What a script of the page draws: a macro of ``views.html``, and plain data for the script.

    Attributes:
        name: of the macro.
        data: None where the view has none of its own.
        still: what stands in its place where no script runs; a timeline's, on paper too.
    """

    name: str
    data: Any = None
    still: Chart | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """A picture that is SVG already.

    Attributes:
        svg: in base64.
        label: read aloud in its place.
        caption: below it.
    """

    svg: str
    label: str
    caption: str


Block = Table | Chart | Text | Items | Heading | Cards | Details | View | Image


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page: what links point to, its title, and what stands in it."""

    anchor: str
    title: str
    blocks: Sequence[Block]


def document(
    title: str,
    intro: Sequence[Block],
    sections: Sequence[Section],
    foot: str,
    scripts: Sequence[str] = (),
) -> str:
    """Return a whole page as HTML.

    A policy in its head forbids requests and every script but its own, whose hash it names.

    Args:
        title: a name that someone chose.
        intro: between the title and the navigation.
        sections: in order.
        foot: text at the end.
        scripts: files of this package, after the common one.
    """
    script = "\n".join(_file(name) for name in ("common.js", *scripts))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return _templates().get_template("page.html").render(
        title=title, intro=intro, sections=sections, foot=foot, light=LIGHT, dark=DARK,
        style=Markup(_file("style.css")), script=Markup(script), digest=digest,
    )  # fmt: skip


def fragment(blocks: Sequence[Block]) -> str:
    """Return blocks as HTML without a page and its style, for a cell of a notebook."""
    block: Any = _templates().get_template("parts.html").module
    return "".join(block.block(one) for one in blocks)


@cache
def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


@cache
def _templates() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    found = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, finalize=_seen,
    )  # fmt: skip
    found.filters["breakable"] = _breakable
    found.filters["kind"] = lambda block: type(block).__name__.lower()
    found.policies["json.dumps_kwargs"] = {
        "ensure_ascii": False, "separators": (",", ":"), "allow_nan": False,
    }  # fmt: skip
    found.policies["json.dumps_function"] = _json
    return found


def _seen(value: object) -> object:
    """Return what is put into a template: text that is no HTML yet without hidden letters."""
    return visible(value) if type(value) is str else value


def _json(value: object, **options: Any) -> str:
    """Return data as JSON, in whose texts and keys nothing is hidden."""
    text = json.dumps(value, **options)
    return text if text.isprintable() else json.dumps(_seen_within(value), **options)


def _seen_within(value: object) -> object:
    if isinstance(value, Mapping):
        return {_seen(key): _seen_within(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_seen_within(one) for one in value]
    return _seen(value)


def _breakable(text: object) -> Markup:
    """Return a text that may go on in a new line after a dot or an underscore between letters."""
    # Not as Markup, of which `re.sub` would escape what it puts in.
    safe = str(escape(visible(str(text))))
    return Markup(re.sub(r"(?<=[a-zA-Z0-9*)])[._](?=[a-zA-Z*(])", r"\g<0><wbr>", safe))
