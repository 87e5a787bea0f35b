"""The form of a case: a scenario on which a key matters, and another value of the key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["numbers", "served", "optical", "device", "page"]


@dataclass(frozen=True, slots=True)
class Case:
    """Two settings of a key that must not come to the same.

    Attributes:
        base: YAML text of the scenario.
        new: value of the key, as after ``--set KEY=``.
        old: likewise, to compare with; what the base says unless given.
        given: settings of both.
        instead: further settings of the new side, where the key excludes or needs others.
        at: key path in the scenario; follows from the key unless given.
        refused: the side that is an error, ``old`` or ``new``, where the key makes that difference.
        outcome: what is compared: a function of `outcome`. Of ``device`` and ``page``, where the
            key is there for people and moves no number.
    """

    base: str
    new: str
    old: str | None = None
    given: tuple[str, ...] = ()
    instead: tuple[str, ...] = ()
    at: str = ""
    refused: Literal["", "old", "new"] = ""
    outcome: Outcome = "numbers"

    def settings(self, key: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the settings of both sides of a key's case."""
        at = self.at or place(key)
        old = () if self.old is None else (f"{at}={self.old}",)
        return (*self.given, *old), (*self.given, *self.instead, f"{at}={self.new}")


_NAMES = {
    "nodes.*": "nodes.n",
    "hosts.*": "hosts.h",
    "network.links.*": "network.links.l",
    "model.tasks.*": "model.tasks.a",
}
KINDS = ("processor", "optical-4f", "photonic-crossbar")


def place(key: str) -> str:
    """Return where a key stands in the scenarios of the cases."""
    kind, _, rest = key.partition(".")
    if kind in KINDS:
        key = f"nodes.n.device.{rest}"
    for pattern, name in _NAMES.items():
        key = key.replace(pattern, name)
    return key.replace("[]", ".0")
