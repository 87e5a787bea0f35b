"""Sections of YAML as dataclasses, and messages for pydantic's validation errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache, partial
from inspect import cleandoc
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from pydantic import (
    AliasGenerator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import core_schema

from edgesim.common.errors import nearest
from edgesim.common.text import described, shortened

Path = tuple[str | int, ...]
T = TypeVar("T")
_UNIT = re.compile(
    "_(bytes|(?<!per_)byte_s|flop_s|j_byte|k_w|e_s|hz|rad|px|dn|waves|m2|m|s|w|j|e|c|per_s)$"
)
"""Unit at the end of a bare number's name."""


def key_of(field: str) -> str:
    """Return the YAML key of a field: its name without the unit, ``delay`` of ``delay_s``."""
    return _UNIT.sub("", field)


def _key_in(section: object, field: str) -> str:
    """Return the key of a field; sections that `spec` did not make are read by their own names."""
    ours = "alias_generator" in getattr(section, "__pydantic_config__", ())
    return key_of(field) if ours else field


def spec(section: type[T]) -> type[T]:
    """Make a standard dataclass a section of YAML: what is written is what the code computes with.

    Its fields are the section's keys (`key_of`, or `key` where it is another), their types the
    rules, with units where `edgesim.common.quantities` has them, and its docstring the
    documentation: the first paragraph is of the section, ``Attributes:`` of the keys. A
    ``pydantic.model_validator`` checks several keys together. Python makes objects by the names of
    the fields, without validation; `validated` makes them from YAML data.
    """
    section.__pydantic_config__ = SECTION  # type: ignore[attr-defined]
    return section


def key(name: str) -> Any:
    """Return the annotation of a field whose key is not its name without the unit."""
    return Field(validation_alias=name)


@dataclass(frozen=True, slots=True)
class ReadAs:
    """Annotation of a field that is read by other types than the code sees.

    Attributes:
        rules: types that it is read by.
        example: what may stand there, for messages.
    """

    rules: Any
    example: str = ""

    def __get_pydantic_core_schema__(
        self, _: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Return pydantic's schema of the rules."""
        return handler.generate_schema(self.rules)


NOT_WRITTEN = "(not written)"
"""Key of a field that no YAML has, such as a device's name; `validated` gets it beside the data."""


def validated(section: type[T], data: object) -> T:
    """Return the object that plain data describe.

    Raises:
        pydantic.ValidationError: they do not; `problems` says how.
    """
    made: T = adapter(section).validate_python(data)
    return made


def read_section(section: type[T], data: object, found: list[Problem], at: Path = ()) -> T | None:
    """Return the object that plain data describe; None after noting what is wrong with them.

    Args:
        section: made by `spec`, or a pydantic model.
        data: as YAML gives them.
        found: gets the problems.
        at: key path of the data, before those of the problems.
    """
    try:
        return validated(section, data)
    except ValidationError as error:
        found += [
            Problem((*at, *one.path), one.message, one.at_key)
            for one in problems(error, section, data)
        ]
        return None


def values(one: Any, section: type) -> dict[str, Any]:
    """Return the fields that an object has of a section, to make another object of."""
    return {field.name: getattr(one, field.name) for field in fields(section)}


adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)
"""Pydantic's validator of a section."""


def keys_of(section: type) -> dict[str, Any]:
    """Return the keys of a section with their annotations; none where it is no section."""
    return {key: annotation for key, annotation in _fields(section).values() if key != NOT_WRITTEN}


def _fields(section: Any) -> dict[str, tuple[str, Any]]:
    """Return the key and the annotation of each field."""
    if is_dataclass(section):
        hints = _hints(section)
        named = {one.name: hints[one.name] for one in fields(section)}
        return {
            name: (_alias(hint) or _key_in(section, name), hint) for name, hint in named.items()
        }
    own = getattr(section, "model_fields", {})
    return {name: (str(one.validation_alias or name), one.annotation) for name, one in own.items()}


_hints: Callable[[Any], dict[str, Any]] = cache(partial(get_type_hints, include_extras=True))
"""Annotation of each field of a section: to work them out takes longer than a check."""


def _attributes(section: type) -> Iterator[tuple[str, str]]:
    """Yield (field, what it is) of a docstring's ``Attributes:``."""
    _, _, listed = cleandoc(section.__doc__ or "").partition("\nAttributes:\n")
    entries = re.split(r"\n    (?=\w)", "\n" + listed.partition("\n\n")[0])
    for entry in entries[1:]:
        name, _, text = entry.partition(":")
        yield name, " ".join(text.split())


def describe(schema: dict[str, Any], section: type) -> None:
    """Put a section's docstring into its JSON Schema, and its defaults under their keys."""
    schema["description"] = cleandoc(section.__doc__ or "").split("\n\n")[0]
    texts = {name: text for base in reversed(section.__mro__) for name, text in _attributes(base)}
    for name, (key, _) in _fields(section).items():
        if key == NOT_WRITTEN:
            schema["properties"].pop(key, None)
            schema["required"] = [one for one in schema.get("required", ()) if one != key]
        elif texts.get(name):
            schema["properties"][key]["description"] = texts[name].rstrip(".")
    needed = schema.get("required", ())
    schema["properties"] = dict(
        sorted(schema["properties"].items(), key=lambda item: item[0] not in needed)
    )
    for one in schema["properties"].values():
        if isinstance(one.get("default"), dict):
            one["default"] = _by_key(one["default"])


def _by_key(default: Any) -> Any:
    if not isinstance(default, dict):
        return default
    return {key_of(name): _by_key(value) for name, value in default.items()}


SECTION = ConfigDict(
    extra="forbid",
    frozen=True,
    alias_generator=AliasGenerator(validation_alias=key_of),
    json_schema_extra=describe,
)


def _alias(annotation: Any) -> str | None:
    found = (getattr(one, "validation_alias", None) for one in get_args(annotation)[1:])
    return next((str(one) for one in found if one is not None), None)


# Labels that pydantic puts into a location for a branch of a union, not for a key.
_BRANCHES = ("kinds", "precisions", "named", "inline", "[key]")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong at one key path.

    Attributes:
        path: path of the key.
        message: mistake, in words.
        at_key: the key itself is wrong, not its value.
    """

    path: Path
    message: str
    at_key: bool = False


def problems(error: ValidationError, model: type, data: object = None) -> list[Problem]:
    """Return the problems that a validation of ``data`` as ``model`` found."""
    errors: list[dict[str, Any]] = [dict(one) for one in error.errors(include_url=False)]
    # A list whose entries are wrong is none of too few.
    inner = {one["loc"][:depth] for one in errors for depth in range(len(one["loc"]))}
    return [
        _problem(one, model, data)
        for one in errors
        if one["type"] != "too_short" or one["loc"] not in inner
    ]


def path_text(path: Path) -> str:
    """Return a key path as users write it: ``nodes.pi.count``, ``baselines.0``."""
    return ".".join(shortened(str(key)) for key in path)


def _problem(error: Mapping[str, Any], model: type, data: object) -> Problem:
    location = tuple(error["loc"])
    at_key = "[key]" in location
    path = tuple(key for key in location if key not in _BRANCHES)
    kind, came = str(error["type"]), described(error["input"])
    if kind == "unexpected_keyword_argument":
        # What pydantic says of a dataclass where it says extra_forbidden of a model.
        kind = "extra_forbidden"
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
        others = f"; known keys: {', '.join(known)}" if known else ""
        hint = nearest(name, known) or others
        key, colon, rest = name.partition(":")
        if colon and key in known:
            # In {device:hub}, YAML takes all of it for a key.
            hint = f"; write a space after the colon: '{key}: {shortened(rest)}'"
        return Problem(path, f"unknown key '{shortened(name)}'{hint}", True)
    if kind == "missing":
        example = _example(model, path)
        return Problem(path[:-1], f"expected a value for '{path[-1]}'{example}, which is not given")
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
        expected = message.format(**context)
        if kind == "string_type":
            expected += _example(model, path)
        elif kind == "dataclass_type" and (section := _section_at(model, path)):
            expected += _mapping_example(section)
        elif kind in ("list_type", "tuple_type") and isinstance(error["input"], str):
            came += f"; write [{shortened(error['input'])}]"
        return Problem(path, f"expected {expected}, got {came}", at_key)
    text = str(error["msg"]).removeprefix("Value error, ")
    return Problem(path, text, at_key)


_SUCH_AS = ", such as "
_MOST_KEYS = 3
"""Keys that stand for a section in a message."""


def _example(model: type, path: Path) -> str:
    """Return a value that a key could have, for a message: ``, such as 1 Gbit/s``; or nothing."""
    annotation = keys_of(_section_at(model, path[:-1])).get(str(path[-1]) if path else "")
    for one in get_args(annotation)[1:]:
        for example in (getattr(one, "example", ""), *(getattr(one, "examples", None) or ())):
            if example:
                return f"{_SUCH_AS}{example}"
    return ""


def _mapping_example(section: type) -> str:
    """Return a mapping of the keys that a section must have: ``, such as {device: …}``.

    Of a section that must have none, its first keys: `` with keys such as capacity, bandwidth``.
    """
    needed = [
        _fields(section)[one.name][0]
        for one in fields(section)
        if one.default is one.default_factory is MISSING
    ]
    entries = (
        f"{key}: {_example(section, (key,)).removeprefix(_SUCH_AS) or '…'}"
        for key in needed
        if key != NOT_WRITTEN
    )
    text = ", ".join(entries)
    if text:
        return f"{_SUCH_AS}{{{text}}}"
    known = list(keys_of(section))[:_MOST_KEYS]
    return f" with keys such as {', '.join(known)}" if known else ""


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
    "dataclass_type": "a mapping",
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


def known_keys(model: type, path: Path) -> list[str]:
    """Return the keys that ``model`` knows at ``path``; none where it is no mapping of fields."""
    return list(keys_of(_section_at(model, path)))


def _section_at(model: type, path: Path) -> Any:
    here: Any = model
    rest = list(path)
    while rest:
        annotation = keys_of(here).get(str(rest.pop(0)))
        here = _section(annotation)
        if rest and _holds_many(annotation):
            rest.pop(0)
    return here


def _holds_many(annotation: Any) -> bool:
    """Whether an annotation is of a mapping or list, whose entries a path names."""
    parts = (annotation, *get_args(annotation))
    return any(get_origin(part) in (dict, list, tuple) for part in parts)


def _section(annotation: Any) -> Any:
    """Return the section inside an annotation such as ``dict[str, Section] | None``."""
    if isinstance(annotation, type) and (
        is_dataclass(annotation) or issubclass(annotation, BaseModel)
    ):
        return annotation
    rules = (annotation.rules,) if isinstance(annotation, ReadAs) else get_args(annotation)
    for argument in rules:
        found = _section(argument)
        if found is not None:
            return found
    return None
