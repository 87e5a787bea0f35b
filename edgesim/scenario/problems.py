"""All that is wrong with a scenario, each with file, line and column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgesim.common.errors import InputError
from edgesim.common.validation import Path, Problem, written
from edgesim.scenario.document import Document

MOST_SHOWN = 20


class ScenarioError(InputError):
    """A scenario is wrong; the message has one line for each problem, the first twenty.

    Attributes:
        problems: all that is wrong, each ``file:line:column: key.path: what was expected``, or
            ``--set key.path=value: …`` where a setting is wrong.
    """

    def __init__(self, found: Sequence[str]) -> None:
        self.problems = tuple(dict.fromkeys(found))
        shown = list(self.problems[:MOST_SHOWN])
        if len(self.problems) > MOST_SHOWN:
            shown.append(f"… and {len(self.problems) - MOST_SHOWN} more")
        super().__init__("\n".join(shown))


def located(
    problems: Sequence[Problem], document: Document, file: str, overridden: Mapping[Path, str]
) -> list[str]:
    """Return every problem with the place where it stands, in order of the file."""
    entries = []
    for one in problems:
        place = document.position(one.path, one.at_key)
        order = place or (0, 0)
        title = file if place is None else f"{file}:{place[0]}:{place[1]}"
        for path, text in overridden.items():
            around = path[: len(one.path)] == one.path and not document.stands(one.path)
            if one.path[: len(path)] == path or around:
                title, order = text, (1 << 60, 0)
        told = f"{written(one.path)}: {one.message}" if one.path else one.message
        entries.append((order, f"{title}: {told}"))
    entries.sort(key=lambda entry: entry[0])
    return [text for _, text in entries]
