"""``--set key.path=value``: settings that replace what the file says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgesim.common.errors import InputError, nearest
from edgesim.common.text import described
from edgesim.common.validation import Path, keys_of, path_text
from edgesim.placement import keys_by_strategy
from edgesim.scenario.document import Document, read_value


def put(data: Any, key: str, value: Any) -> Path:
    """Set a value in ``data``, in place, as ``--set key=value`` does; return its key path.

    Raises:
        InputError: the key cannot be set; the message names the nearest that is there.
    """
    names = key.strip().split(".")
    if not all(names):
        raise InputError(f"expected a key path, as in traffic.rate, got '{key[:80]}'")
    return _put(data, names, value)


def override(document: Document, settings: Sequence[str]) -> list[str]:
    """Set values in a document, in place; return one message for each setting that is wrong.

    A value is read as YAML 1.2; nothing after the ``=`` is null, which unsets a key. Mappings of
    the path are made where they are missing; an entry of a list must exist. A key with dots in it
    is found where it exists: ``nodes.pi.local.count`` is the ``count`` of a node ``pi.local``.
    """
    wrong: list[str] = []
    before = {"nodes": _nodes(document.data)}
    for text in settings:
        keys, equals, value_text = text.partition("=")
        names = keys.strip().split(".")
        title = f"--set {text[:80]}"
        if not equals or not all(names):
            wrong.append(f"{title}: expected KEY.PATH=VALUE, as in traffic.rate=2/s")
            continue
        if any("\ud800" <= letter <= "\udfff" for letter in keys):
            # What an argument that is no UTF-8 comes as.
            wrong.append(f"{title}: expected a key in UTF-8")
            continue
        try:
            value = read_value(value_text)
            document.overridden[_put(document.data, names, value)] = title
        except InputError as error:
            wrong.append(f"{title}: {error}")
    unknown = unknown_nodes(before, document.data, document.overridden)
    for path in unknown:
        document.data["nodes"].pop(path[1], None)
    wrong += unknown.values()
    document.notes.extend(leave_out(document.data, list(document.overridden)))
    return wrong


def unknown_nodes(before: Any, data: Any, titles: Mapping[Path, str]) -> dict[Path, str]:
    """Return a message for each set key of a node that is not there.

    Args:
        before: data before keys were set.
        data: plain data of a scenario, with values set; a new node in it has a device.
        titles: what messages call each key path that was set.
    """
    known, nodes = _nodes(before), _nodes(data)
    return {
        path: f"{title}: no node is named '{path[1]}'"
        + (nearest(str(path[1]), list(known)) or "; a new one needs a device")
        for path, title in titles.items()
        if path[0] == "nodes" and len(path) > 2 and path[1] not in known
        if isinstance(nodes.get(path[1]), dict) and "device" not in nodes[path[1]]
    }


def leave_out(data: Any, paths: Sequence[Path]) -> list[str]:
    """Leave out, in place, the keys of ``placement`` that a newly set strategy does not take.

    Keys that were set themselves stay, and are refused later.

    Args:
        data: plain data of a scenario, with values set.
        paths: key paths that were set.

    Returns:
        A sentence that says which keys were left out; none where none was.
    """
    placement = data.get("placement") if isinstance(data, dict) else None
    if ("placement", "strategy") not in paths or not isinstance(placement, dict):
        return []
    strategy = placement.get("strategy")
    taken = keys_by_strategy()
    if strategy not in taken:
        return []
    own = keys_of(taken[strategy])
    others = {key for keys in taken.values() for key in keys_of(keys)} - set(own)
    dropped = [key for key in placement if key in others and ("placement", key) not in paths]
    for key in dropped:
        del placement[key]
    if not dropped:
        return []
    return [f"placement.strategy {strategy} does not take {', '.join(dropped)}: left out"]


def _nodes(data: Any) -> dict[Any, Any]:
    """Return a copy of the mapping ``nodes``; empty where the data has none."""
    nodes = data.get("nodes") if isinstance(data, dict) else None
    return dict(nodes) if isinstance(nodes, dict) else {}


_NAMED_BY_USERS: tuple[Path, ...] = (("nodes",), ("network", "links"), ("model", "tasks"))
"""Mappings in which a name that is like another may well be meant as a new one."""


def _put(data: Any, names: list[str], value: Any) -> Path:
    here = data
    path: Path = ()
    while True:
        key, names = _next(here, path, names)
        path = (*path, key)
        if not names:
            here[key] = value
            return path
        if isinstance(here, dict) and here.get(str(key)) is None:
            here[key] = {}
        here = here[key]


def _next(here: Any, path: Path, names: list[str]) -> tuple[str | int, list[str]]:
    """Return the key or index that comes next, and the names that are left."""
    if isinstance(here, list):
        name = names[0]
        if not name.isdecimal() or not name.isascii() or int(name[:9]) >= len(here):
            if not here:
                raise InputError(f"{path_text(path)} is empty; set it whole, as in [a, b]")
            last = f"0 to {len(here) - 1}" if here[1:] else "0, the only one"
            raise InputError(f"expected an entry of {path_text(path)}, {last}, got '{name}'")
        return int(name), names[1:]
    if not isinstance(here, dict):
        raise InputError(f"{path_text(path)} is {described(here)}, which has no '{names[0]}'")
    for length in range(len(names), 0, -1):
        joined = ".".join(names[:length])
        if joined in here and (length == len(names) or here[joined] is not None or length == 1):
            return joined, names[length:]
    near = nearest(names[0], list(here))
    if len(names) > 1 and near and path not in _NAMED_BY_USERS:
        raise InputError(f"no key '{names[0]}' {f'in {path_text(path)}' if path else 'here'}{near}")
    return names[0], names[1:]
