"""The scenario that ``edgesim init`` writes."""

from __future__ import annotations

from importlib.resources import files


def starter() -> str:
    """Return the text of a commented scenario that runs as it stands."""
    return (files("edgesim.scenario") / "starter.yaml").read_text(encoding="utf-8")
