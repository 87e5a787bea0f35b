"""Catalog files: one YAML file a device, each figure with its source."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from edgesim.common import units
from edgesim.common.errors import InputError, nearest
from edgesim.hardware.catalog.kinds import from_mapping
from edgesim.hardware.device import Device, Published

_FOLDER = files("edgesim.hardware.catalog")


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


def _told(rows: int, family_rows: int, found: Mapping[str, Any]) -> str:
    """Return the source of a fitted figure."""
    if rows:
        return f"fitted to {rows} published rows by edgesim.calibrate.fit"
    if family_rows:
        return f"estimate: the {found['family']} family's mean, by edgesim.calibrate.fit"
    return "estimate: what is usual, no row of the family is published; edgesim.calibrate.fit"


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
        source[f"efficiency.{precision}"] = _told(count, found["family_rows"][precision], found)
        for kind in found["usual"][precision]:
            source[f"efficiency.{precision}.{kind}"] = _USUAL
    rows, family_rows = sum(found["rows"].values()), sum(found["family_rows"].values())
    source["launch_overhead"] = _told(rows, family_rows, found)
    source["half_saturation"] = _told(rows, family_rows, found)
    return {
        **mapping,
        "memory": memory,
        "source": source,
        "efficiency": found["efficiency"],
        "launch_overhead": found["launch_overhead"],
        "half_saturation": found["half_saturation"],
    }


def runtime_factors(name: str, runtime: str, precision: str) -> Mapping[str, float]:
    """Return what a runtime takes over the times of the runtime that an entry's figures are of.

    Fitted by `edgesim.calibrate.fit`: ``time`` of the whole, and besides of each kind of product
    and of ``moves``, operators without products. Nothing for the entry's own runtime, and where
    nothing is known.

    Raises:
        InputError: no device has this name; the message names the nearest.
    """
    written(name)
    found: Mapping[str, float] = (
        _fitted().get(name, {}).get("runtimes", {}).get(runtime, {}).get(precision, {})
    )
    return found


@cache
def device(name: str) -> Device:
    """Return a device of the catalog.

    Raises:
        InputError: no device has this name; the message names the nearest.
    """
    found = entry(name)
    memory = dict(found.get("memory", {}))
    if isinstance(memory.get("bandwidth"), float):
        # What was fitted is in bytes per second; a bandwidth that is read has a unit.
        memory["bandwidth"] = f"{memory['bandwidth']!r} B/s"
        found = {**found, "memory": memory}
    return from_mapping(name, found)


def published(name: str) -> tuple[Published, ...]:
    """Return the published latencies and throughputs of a device."""
    return device(name).published
