"""All that is wrong with a scenario, each with file, line and column."""

from __future__ import annotations

from collections.abc import Sequence

from edgesim.errors import InputError
from edgesim.scenario.yaml12 import Document
from edgesim.validation import Path, Problem, written


class ScenarioError(InputError):
    """A scenario is wrong; the message has one line for each problem.

    Attributes:
        problems: what is wrong, with key paths.
    """

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


def scenario_error(
    problems: Sequence[Problem], document: Document, file: str, overridden: dict[Path, str]
) -> ScenarioError:
    """Return the error that tells every problem where it stands, in order of the file."""
    lines = []
    for one in problems:
        line, column = document.position(one.path, one.at_key)
        place = f"{file}:{line}:{column}"
        order = (line, column)
        for path, text in overridden.items():
            if one.path[: len(path)] == path:
                place, order = f"--set {text}", (1 << 30, 0)
        told = f"{written(one.path)}: {one.message}" if one.path else one.message
        lines.append((order, f"{place}: {told}"))
    lines.sort(key=lambda entry: entry[0])
    texts = list(dict.fromkeys(text for _, text in lines))
    shown = texts[:20]
    if len(texts) > 20:
        shown.append(f"… and {len(texts) - 20} more")
    return ScenarioError("\n".join(shown), problems)
