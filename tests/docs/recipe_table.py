"""The table of every key of a recipe, made from the schema: what `docs/partition.md` holds.

``python -m tests.docs.recipe_table`` writes it into the page again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edgesim.scenario.json_schema import schema
from tests.edgesim.command import ROOT

PAGE = ROOT / "docs" / "partition.md"
BEGIN, END = "<!-- every key: begin -->\n", "<!-- every key: end -->\n"
_TITLES = {
    "Recipe": "The recipe",
    "DataSpec": "`data`",
    "UnsplitSpec": "`model`",
    "TrainConfig": "`training`, `pruning.tuning`, `pruning.final`, `pruning.polish`, "
    "`fusion.training`",
    "Augmentation": "`augmentation` of a training",
    "SplitSpec": "`split`",
    "PruneSpec": "`pruning`",
    "FusionSpec": "`fusion`",
    "Budget": "an entry of `devices`",
    "LightSpec": "`light`",
}


def table() -> str:
    """Return a table for each section of a recipe: key, values, default, meaning."""
    found = schema()["$defs"]
    lines = []
    for name, title in _TITLES.items():
        lines += [f"### {title}", "", "| key | values | default | meaning |", "|---|---|---|---|"]
        lines += [f"| {' | '.join(row)} |" for row in _rows(found[name])]
        lines.append("")
    return "\n".join(lines)


def _rows(section: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    needed = section.get("required", ())
    for key, rules in section["properties"].items():
        default = rules.get("default")
        told = "needed" if key in needed else "" if default is None else f"`{_text(default)}`"
        meaning = str(rules.get("description", "")).replace("``", "`")
        yield f"`{key}`", _values(rules), told, meaning


def _values(rules: Mapping[str, Any]) -> str:
    """Return the values that a key takes, in words."""
    if "anyOf" in rules:
        choices = [_values(one) for one in rules["anyOf"] if one.get("type") != "null"]
        return " or ".join(choices)
    if "enum" in rules:
        return ", ".join(f"`{value}`" for value in rules["enum"])
    if "$ref" in rules:
        return "section"
    if rules.get("type") == "array":
        inner = _values(rules["items"])
        return f"list of {inner if inner != 'section' else 'sections'}"
    kind = {"boolean": "`true`, `false`", "string": "text", "integer": "integer"}.get(
        str(rules.get("type")), "number"
    )
    return kind + _limits(rules)


def _limits(rules: Mapping[str, Any]) -> str:
    low, over = rules.get("minimum"), rules.get("exclusiveMinimum")
    high, under = rules.get("maximum"), rules.get("exclusiveMaximum")
    told = [f"at least {low:g}"] if low is not None else []
    told += [f"over {over:g}"] if over is not None else []
    told += [f"at most {high:g}"] if high is not None else []
    told += [f"under {under:g}"] if under is not None else []
    return f", {', '.join(told)}" if told else ""


def _text(default: Any) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, list):
        return f"[{', '.join(map(str, default))}]"
    return str(default)


def written(page: str) -> str:
    """Return a page with the table that belongs between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
