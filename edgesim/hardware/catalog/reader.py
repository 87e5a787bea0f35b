"""Devices by name, from one YAML file each with a source for each figure, and their kinds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from edgesim.common import units, validation
from edgesim.common.errors import InputError, nearest
from edgesim.common.extensions import ExtensionPoint
from edgesim.common.text import described
from edgesim.common.validation import Problem, path_text
from edgesim.hardware.device import Device, Published
from edgesim.hardware.processor import Processor

_FOLDER = files("edgesim.hardware.catalog")
KINDS = ExtensionPoint("edgesim.devices", "device kind")


def kind_names() -> list[str]:
    """Return the names of the registered kinds."""
    return sorted(KINDS.names())


def kind(name: object) -> type[Device]:
    """Return a device kind: the class of its devices, which is also how their YAML is written.

    Raises:
        InputError: no such kind, the message names the nearest; or what is registered is none.
    """
    try:
        found = KINDS.load(name)
    except InputError as error:
        raise InputError(f"kind: {error}") from None
    if not (isinstance(found, type) and issubclass(found, Device)):
        raise InputError(
            f"kind: '{name}' is registered as {KINDS.origin(str(name))}, expected a dataclass that "
            f"inherits from edgesim.hardware.Device (docs/extending.md), got {described(found)}"
        )
    return found


def checked(name: str, mapping: Mapping[str, object]) -> Device | list[Problem]:
    """Return the device that a YAML mapping describes, or what is wrong with it.

    Args:
        name: name of the device: its catalog name, or the node's.
        mapping: mapping as in a catalog file.
    """
    if "base" in mapping:
        return _amended(name, mapping)
    try:
        own = kind(mapping.get("kind", "processor"))
    except InputError as error:
        return [Problem(("kind",), str(error).removeprefix("kind: "))]
    found: list[Problem] = []
    try:
        made = validation.read_section(own, {**mapping, validation.NOT_WRITTEN: name}, found)
    except InputError as error:
        # Figures that are right alone, and make no device together.
        return [Problem((), str(error))]
    return found if made is None else made


def _amended(name: str, changes: Mapping[str, object]) -> Device | list[Problem]:
    """Return a device of the catalog with some of its figures replaced, or what is wrong."""
    base, clock = changes["base"], changes.get("clock")
    if not isinstance(base, str) or base not in names():
        hint = nearest(base, names()) if isinstance(base, str) else ""
        message = (
            f"expected the name of a device of the catalog, got {described(base)}{hint}; "
            "`edgesim devices` lists what there is"
        )
        return [Problem(("base",), message)]
    ratio = 1.0
    if clock is not None:
        try:
            ratio = clock_ratio(base, clock)
        except (InputError, ValueError) as error:
            return [Problem(("clock",), str(error))]
        for key in ("peak", "launch_overhead"):
            if key in changes:
                message = f"'clock' scales the base's '{key}'; give one of the two"
                return [Problem((key,), message, True)]
    own = {key: one for key, one in changes.items() if key not in ("base", "clock")}
    found = checked(name, merged(mapping(base), own))
    return found.at_clock(ratio) if isinstance(found, Processor) else found


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping with changes put over it: mappings deep, everything else whole."""
    found = dict(base)
    for key, change in changes.items():
        own = found.get(key)
        if isinstance(own, Mapping) and isinstance(change, Mapping):
            if key == "efficiency" and not any(isinstance(one, Mapping) for one in change.values()):
                # Written by kind alone, it is of every precision.
                change = dict.fromkeys(own, change)
            found[key] = merged(own, change)
        else:
            found[key] = change
    return found


def clock_hz(name: str) -> float | None:
    """Return the clock that the figures of a device are of; None where its file has none."""
    found = written(name).get("clock")
    return None if found is None else units.parse(found, "rate")


def clock_ratio(name: str, clock: object) -> float:
    """Return a clock over that of a device's entry.

    Raises:
        InputError: no times of the device are published at a clock so low or so high.
        ValueError: what is given is no clock.
    """
    wanted_hz, own_hz = units.parse(clock, "rate"), clock_hz(name)
    if own_hz is None:
        raise InputError(f"'{name}' has no clock in the catalog; change 'peak' instead")
    ratios = [1.0, *(float(row.get("clock_ratio", 1.0)) for row in written(name)["published"])]
    ratio = wanted_hz / own_hz
    if not min(ratios) * (1 - 1e-9) <= ratio <= max(ratios) * (1 + 1e-9):
        least, most = (f"{own_hz * one / 1e9:g} GHz" for one in (min(ratios), max(ratios)))
        between = f"{least} to {most}" if least != most else f"{least} alone"
        raise InputError(
            f"times of '{name}' are published at {between}, got {wanted_hz / 1e9:g} GHz; "
            "beyond that, change 'peak' and 'launch_overhead' yourself"
        )
    return ratio


def from_mapping(name: str, mapping: Mapping[str, object]) -> Device:
    """Return the device that a YAML mapping describes.

    Args:
        name: name of the device: its catalog name, or the node's.
        mapping: mapping as in a catalog file.

    Raises:
        InputError: the mapping is wrong; the message has every problem with its key path.
    """
    start = f"device '{name}': "
    if not isinstance(mapping, Mapping):
        raise InputError(
            f"{start}expected a mapping such as {{peak: {{fp32: 48 GFLOP/s}}}}, "
            f"got {described(mapping)}"
        )
    found = checked(name, mapping)
    if isinstance(found, list):
        lines = [
            f"{path_text(one.path)}: {one.message}" if one.path else one.message for one in found
        ]
        raise InputError(start + "; ".join(lines).removeprefix(start))
    return found


@cache
def names(kind: str | None = None) -> list[str]:
    """Return the names of all devices of the catalog, or of one kind; the former reads no file."""
    found = (file.name for file in _FOLDER.iterdir())
    every = sorted(name.removesuffix(".yaml") for name in found if name.endswith(".yaml"))
    return every if kind is None else [name for name in every if written(name)["kind"] == kind]


@cache
def written(name: str) -> Mapping[str, Any]:
    """Return a device's catalog file: figures, ``source`` and ``published`` rows.

    Raises:
        InputError: no device has this name; the message names the nearest.
    """
    import yaml

    if name not in names():
        raise InputError(
            f"no device is named '{name}'{nearest(name, names())}; "
            "`edgesim devices` lists what there is"
        )
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = (_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    mapping: dict[str, Any] = yaml.load(text, Loader=loader)
    return mapping


@cache
def _fitted() -> Mapping[str, Any]:
    file = _FOLDER / "fitted.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return found


_USUAL = "estimate: what is usual, published rows tell next to nothing; edgesim.calibrate.fit"


def _source_of(rows: int, family_rows: int, found: Mapping[str, Any]) -> str:
    """Return the source of a fitted figure, by the number of rows behind it."""
    if rows:
        return f"fitted to {rows} published rows by edgesim.calibrate.fit"
    if family_rows:
        return f"estimate: the {found['family']} family's mean, by edgesim.calibrate.fit"
    return "estimate: what is usual, no row of the family is published; edgesim.calibrate.fit"


def _source_of_factors(rows: int, family_rows: int, family: str) -> str:
    """Return the source of a runtime's factors, which all devices of a family share."""
    if rows:
        return (
            f"fitted to {family_rows} published rows of the {family} family, {rows} of this device"
        )
    if family_rows:
        return f"estimate: fitted to {family_rows} published rows of the {family} family"
    return "estimate: those of another precision"


@cache
def entry(name: str) -> Mapping[str, Any]:
    """Return a device's mapping with what was fitted to its published rows in it.

    Raises:
        InputError: no device has this name; the message names the nearest.
    """
    found = _fitted().get(name)
    mapping = dict(written(name))
    if found is None:
        return mapping
    memory, source = dict(mapping["memory"]), dict(mapping["source"])
    share = found["bandwidth_share"]
    memory["bandwidth"] = share * units.parse(memory["bandwidth"], "bandwidth")
    source["memory.bandwidth"] += f"; times {share}, fitted"
    for precision, count in found["rows"].items():
        source[f"efficiency.{precision}"] = _source_of(
            count, found["family_rows"][precision], found
        )
        for kind in found["usual"][precision]:
            source[f"efficiency.{precision}.{kind}"] = _USUAL
    rows, family_rows = sum(found["rows"].values()), sum(found["family_rows"].values())
    source["runtime"] = "that of the published rows which its figures are fitted to"
    runtimes = {}
    for runtime, own in found["runtimes"].items():
        runtimes[runtime] = {key: own[key] for key in ("factors", "fused") if own[key]}
        source[f"runtimes.{runtime}"] = "estimate: nothing is fitted of it"
        if "fused" in runtimes[runtime]:
            source[f"runtimes.{runtime}.fused"] = "estimate: what such a runtime fuses"
        for precision in own["factors"]:
            source[f"runtimes.{runtime}.factors.{precision}"] = _source_of_factors(
                own["rows"][precision], own["family_rows"][precision], found["family"]
            )
    source["launch_overhead"] = _source_of(rows, family_rows, found)
    source["half_saturation"] = _source_of(rows, family_rows, found)
    return {
        **mapping,
        "memory": memory,
        "source": source,
        "efficiency": found["efficiency"],
        "launch_overhead": found["launch_overhead"],
        "half_saturation": found["half_saturation"],
        "runtime": found["runtime"],
        "runtimes": runtimes,
    }


@cache
def device(name: str) -> Device:
    """Return a device of the catalog.

    Raises:
        InputError: no device has this name; the message names the nearest.
    """
    return from_mapping(name, mapping(name))


@cache
def mapping(name: str) -> Mapping[str, Any]:
    """Return a device of the catalog as a scenario might write it inline.

    Raises:
        InputError: no device has this name; the message names the nearest.
    """
    found = {key: one for key, one in entry(name).items() if key != "clock"}
    memory = dict(found.get("memory", {}))
    if isinstance(memory.get("bandwidth"), float):
        # What was fitted is in bytes per second; a bandwidth that is read has a unit.
        memory["bandwidth"] = f"{memory['bandwidth']!r} B/s"
        found["memory"] = memory
    return found


def published(name: str) -> tuple[Published, ...]:
    """Return the published latencies and throughputs of a device."""
    return device(name).published
