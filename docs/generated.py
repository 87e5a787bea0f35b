"""Hooks of mkdocs: references that are made from the product, and files outside of ``docs``.

A line ``<!-- made: NAME -->`` in a page is replaced by what the function of that name returns, so
that page and product cannot disagree. A file that a page links to outside of ``docs`` (a picture, a
scenario, another page) becomes a part of the site, at its path in the repository.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

_ROOT = Path(__file__).parents[1]
_ABOVE = ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
"""Pages of the navigation that lie beside ``docs``."""
_LINK = re.compile(r"(?<=\]\()([^)#\s:]+)(?=[)#\s])")
_PLACE = re.compile(r"^<!-- made: (\w+) -->$", re.MULTILINE)
_MOST_NAMED = 20


def on_files(files: Any, config: Any, **_: Any) -> Any:
    """Add the files outside of ``docs`` that pages link to; mkdocs calls this once."""
    pending = [(_in_repository(one.src_uri), one.content_string) for one in files if _is_page(one)]
    pending += [("README.md", " ".join(f"]({name})" for name in _ABOVE))]
    while pending:
        page, text = pending.pop()
        for link in _LINK.findall(text):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(page), link))
            known = path.startswith("docs/") or files.get_file_from_path(path)
            if known or not (_ROOT / path).is_file() or path == "README.md":
                continue
            added = File.generated(config, path, abs_src_path=str(_ROOT / path))
            files.append(added)
            if _is_page(added):
                pending.append((path, added.content_string))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Put what is made in its places, and turn links to where files are in the site."""
    here = page.file.src_uri
    folder = posixpath.dirname(_in_repository(here))

    def turned(found: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, found[1]))
        if not (_ROOT / path).is_file():
            return found[1]
        return posixpath.relpath(path.removeprefix("docs/"), posixpath.dirname(here) or ".")

    return _PLACE.sub(lambda found: MADE[found[1]](), _LINK.sub(turned, markdown))


def _is_page(file: Any) -> bool:
    return str(file.src_uri).endswith(".md")


def _in_repository(src_uri: str) -> str:
    """Return the path of a file of the site in the repository."""
    inside = (_ROOT / "docs" / src_uri).is_file()
    return f"docs/{src_uri}" if inside else src_uri


def scenario() -> str:
    """Return the keys of a scenario, section by section."""
    from edgesim.hardware import catalog
    from edgesim.scenario.json_schema import schema

    found = schema()
    lines = ["## The file", "", *_keys(found)]
    for name in _sections(found, set(catalog.kind_names())):
        part = found["$defs"][name]
        lines += ["", f"## {_title(name)}", "", part.get("description", ""), "", *_keys(part)]
    for kind in sorted(catalog.kind_names(), key=lambda one: one != "processor"):
        part = found["$defs"][kind]
        lines += ["", f"## Device of kind `{kind}`", "", part.get("description", "").split("\n")[0]]
        lines += ["", *_keys(part)]
        for name, one in found["$defs"].items():
            if name.startswith(f"{kind}.") and _mapping(one):
                lines += ["", f"### `{kind}`: {_title(name.partition('.')[2])}", ""]
                lines += [one.get("description", "").split("\n\n")[0], "", *_keys(one)]
    return "\n".join(lines)


def _sections(found: Mapping[str, Any], without: set[str]) -> list[str]:
    """Return the sections of a schema in the order in which their keys first stand."""
    seen: dict[str, None] = {}

    def visit(part: Any) -> None:
        if isinstance(part, list):
            for one in part:
                visit(one)
        elif isinstance(part, dict):
            name = str(part.get("$ref", "")).removeprefix("#/$defs/")
            if name in found["$defs"] and name not in seen and name not in without:
                if _mapping(found["$defs"][name]):
                    seen[name] = None
                visit(found["$defs"][name])
            for key, one in part.items():
                if key != "$defs":
                    visit(one)

    visit(found)
    return list(seen)


def commands() -> str:
    """Return what every command says of itself."""
    import typer
    from typer.main import get_command

    from edgesim.cli import app

    root = get_command(app)
    lines = []
    for name, command in sorted(root.commands.items()):  # type: ignore[attr-defined]
        context = typer.Context(command, info_name=f"edgesim {name}")
        usage = " ".join(command.collect_usage_pieces(context))
        lines += [
            f"## edgesim {name}",
            "",
            command.help or "",
            "",
            "```",
            f"edgesim {name} {usage}",
        ]
        lines += ["```", "", *_table(("option", "meaning", "default"), _options(command)), ""]
    return "\n".join(lines)


def devices() -> str:
    """Return the catalog with how well it predicts, and the source of every figure."""
    from edgesim.report import device_tables

    rows = []
    for one in device_tables.every()["devices"]:
        error = one["median_error"]
        told = (
            f"{error:.1%} of {one['published_rows']}" if error is not None else "no row to compare"
        )
        power = f"{one['idle_w']:g} / {one['busy_w']:g} W"
        link = f"[{one['name']}](#{one['name']})"
        rows.append((link, one["kind"], one["description"], power, told))
    head = ("device", "kind", "what it is", "idle / busy", "median error")
    lines = [*_table(head, rows), ""]
    for one in device_tables.every()["devices"]:
        lines += [f"## {one['name']}", ""]
        figures = device_tables.one(one["name"])["figures"]
        told = [(row["figure"], f"{row['value']}", row["source"]) for row in figures]
        lines += [*_table(("figure", "value", "source"), told), ""]
    return "\n".join(lines)


def results() -> str:
    """Return every metric of a result with its unit and meaning."""
    from edgesim.results.summary import SUMMARY

    rows = []
    for path, metric in SUMMARY.walk():
        absence = "left out" if metric.optional else "null"
        null = f" ({absence}: {metric.null})" if metric.null else ""
        rows.append((f"`{'.'.join(path)}`", metric.unit, f"{metric.meaning}{null}"))
    return "\n".join(_table(("path", "unit", "meaning"), rows))


def _options(command: Any) -> Iterator[tuple[str, str, str]]:
    for one in command.params:
        flag = one.opts[0].startswith("-")
        name = f"`{', '.join(one.opts)}`" if flag else f"`{one.metavar or one.name.upper()}`"
        if flag and one.metavar:
            name += f" {one.metavar}"
        shown = getattr(one, "show_default", None)
        default = shown if isinstance(shown, str) else one.default
        plain = default is None or default is False or callable(default)
        yield name, getattr(one, "help", None) or "", "" if plain else str(default)


def _mapping(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the mapping that may stand somewhere, or that is a choice there; empty for none."""
    choices = [part, *part.get("anyOf", ())]
    return next((one for one in choices if "properties" in one), {})


def _keys(part: Mapping[str, Any]) -> list[str]:
    rows = []
    mapping = _mapping(part)
    for key, one in mapping.get("properties", {}).items():
        needed = "yes" if key in mapping.get("required", ()) else ""
        rows.append((f"`{key}`", _kind(one), one.get("description", ""), _default(one), needed))
    if not rows:
        return []
    return _table(("key", "value", "meaning", "default", "needed"), rows)


def _kind(one: Mapping[str, Any]) -> str:
    examples = one.get("examples")
    such_as = f", such as `{examples[0]}`" if examples and isinstance(examples[0], str) else ""
    if "$ref" in one:
        name = one["$ref"].rpartition("/")[2]
        if name.startswith("text-"):
            return f"quantity with its unit{such_as}"
        title = _title(name.rpartition(".")[2])
        linked = "." not in name and name not in ("Device", "DeviceName")
        return f"[{title}](#{title.replace(' ', '-')})" if linked else title
    if len(one.get("enum", ())) > _MOST_NAMED:
        return f"one of {len(one['enum'])} names, such as `{one['enum'][0]}`"
    if "enum" in one:
        return ", ".join(f"`{value}`" for value in one["enum"])
    if "const" in one:
        return f"`{one['const']}`"
    if "anyOf" in one:
        number, *text = sorted(one["anyOf"], key=lambda choice: "$ref" in choice)
        if len(text) == 1 and text[0].get("$ref", "").startswith("#/$defs/text-"):
            return f"quantity{_kind(number).removeprefix('number')}{such_as}"
        told = [_kind(choice) for choice in one["anyOf"] if choice.get("type") != "null"]
        return " or ".join(dict.fromkeys(filter(None, told)))
    if one.get("type") == "array":
        return f"list of {_kind(one.get('items', {})) or 'values'}"
    if one.get("type") == "object":
        values = [*one.get("patternProperties", {}).values(), one.get("additionalProperties")]
        inner = next((_kind(value) for value in values if isinstance(value, dict)), "")
        return f"by name: {inner}" if inner else "mapping"
    told = str(one.get("type", ""))
    bounds = [
        f"{sign} {one[key]:g}"
        for key, sign in (
            ("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<")
        )
        if isinstance(one.get(key), int | float)
    ]  # fmt: skip
    return " ".join([{"string": "text"}.get(told, told), *bounds]) + such_as


def _default(one: Mapping[str, Any]) -> str:
    value = one.get("default")
    return "" if value is None or value in ({}, []) else f"`{value}`"


def _title(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("Spec")).lower()


def _table(head: Sequence[str], rows: Any) -> list[str]:
    """Return a table without the columns that are empty."""
    columns = zip(head, *[[_cell(value) for value in row] for row in rows], strict=True)
    first, *others = zip(*[column for column in columns if any(column[1:])], strict=True)
    told = [f"| {' | '.join(first)} |", f"|{'---|' * len(first)}"]
    return told + [f"| {' | '.join(row)} |" for row in others]


def _cell(value: object) -> str:
    return str(value).replace("\n", " ").replace("|", "\\|")


MADE: dict[str, Callable[[], str]] = {
    "scenario": scenario,
    "commands": commands,
    "devices": devices,
    "results": results,
}
