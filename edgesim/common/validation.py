"""What a pydantic error says, in our words: what was expected, what came, the nearest name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from edgesim.common.errors import nearest

Path = tuple[str | int, ...]
# Labels that pydantic puts into a location for a branch of a union, not for a key.
_BRANCHES = ("kinds", "precisions", "named", "inline", "[key]")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong at one key path; ``at_key`` where the key itself is wrong, not its value."""

    path: Path
    message: str
    at_key: bool = False


def problems(error: ValidationError, model: type[BaseModel], data: object = None) -> list[Problem]:
    """Return the problems that a validation of ``data`` as ``model`` found."""
    return [_problem(dict(one), model, data) for one in error.errors(include_url=False)]


def written(path: Path) -> str:
    """Return a key path as users write it: ``nodes.pi.count``, ``baselines.0``."""
    return ".".join(_short(str(key)) for key in path)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def described(value: object) -> str:
    """Return what came, short enough for one line."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, str):
        return f"'{_short(value)}'"
    return repr(value)[:60]


def _problem(error: Mapping[str, Any], model: type[BaseModel], data: object) -> Problem:
    location = tuple(error["loc"])
    at_key = "[key]" in location
    path = tuple(key for key in location if key not in _BRANCHES)
    kind, came = str(error["type"]), described(error["input"])
    if kind == "extra_forbidden" and location and location[-1] in _BRANCHES:
        # A user's key may be called like a branch.
        path = (*path, location[-1])
    if isinstance(error["input"], float):
        # What was written, -1 ms, says more than what was made of it, -0.001.
        came = _written_number(data, path) or came
    context = error.get("ctx", {})
    if kind == "extra_forbidden":
        name = str(path[-1])
        known = known_keys(model, path[:-1])
        told = f"; known keys: {', '.join(known)}" if known else ""
        return Problem(path, f"unknown key '{_short(name)}'{nearest(name, known) or told}", True)
    if kind == "missing":
        return Problem(path[:-1], f"expected a value for '{path[-1]}', which is not given")
    if kind in ("too_short", "too_long"):
        bound = context.get("min_length", context.get("max_length"))
        least = "at least" if kind == "too_short" else "at most"
        entries = "entry" if bound == 1 else "entries"
        number = context["actual_length"] or "none"
        return Problem(path, f"expected {least} {bound} {entries}, got {number}", at_key)
    if kind in ("literal_error", "enum"):
        options = [
            part.strip("' ") for part in str(context["expected"]).replace(" or ", ", ").split(",")
        ]
        near = nearest(str(error["input"]), options)
        return Problem(path, f"expected one of {', '.join(options)}, got {came}{near}", at_key)
    if kind == "string_type" and isinstance(error["input"], int | float):
        # YAML reads 5 and true as no text.
        return Problem(path, f"expected text, got {came}; put it in quotes", at_key)
    message = _MESSAGES.get(kind)
    if message is not None:
        return Problem(path, f"expected {message.format(**context)}, got {came}", at_key)
    text = str(error["msg"]).removeprefix("Value error, ")
    return Problem(path, text, at_key)


def _written_number(data: object, path: Path) -> str | None:
    """Return the text or number that stands at ``path``; None where none does."""
    for key in path:
        if isinstance(data, Mapping):
            data = data.get(key)
        elif isinstance(data, list) and isinstance(key, int) and key < len(data):
            data = data[key]
    return described(data) if isinstance(data, str | int | float) else None


_MESSAGES = {
    "int_type": "an integer",
    "int_parsing": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "float_parsing": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "a mapping",
    "list_type": "a list",
    "tuple_type": "a list",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "greater_than": "more than {gt:,.15g}",
    "greater_than_equal": "at least {ge:,.15g}",
    "less_than": "less than {lt:,.15g}",
    "less_than_equal": "at most {le:,.15g}",
    "finite_number": "a finite number",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "string_pattern_mismatch": "text that matches {pattern}",
}


def known_keys(model: type[BaseModel], path: Path) -> list[str]:
    """Return the keys that ``model`` knows at ``path``; none where it is no mapping of fields."""
    here: Any = model
    rest = list(path)
    while rest:
        fields = getattr(here, "model_fields", {})
        named = {field.alias or name: field for name, field in fields.items()}
        key = rest.pop(0)
        if key not in named:
            return []
        annotation = named[str(key)].annotation
        here = _models(annotation)
        if rest and _holds_many(annotation):
            rest.pop(0)
    fields = getattr(here, "model_fields", None)
    return [field.alias or name for name, field in fields.items()] if fields else []


def _holds_many(annotation: Any) -> bool:
    """Whether an annotation is of a mapping or list, whose entries a path names."""
    parts = (annotation, *get_args(annotation))
    return any(get_origin(part) in (dict, list, tuple) for part in parts)


def _models(annotation: Any) -> Any:
    """Return the model inside an annotation such as ``dict[str, Model] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        found = _models(argument)
        if found is not None:
            return found
    return None
