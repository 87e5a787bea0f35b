"""What is no YAML, said with line and column and in words that help."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from edgesim.common.errors import InputError

Place = tuple[int, int]
"""Line and column, both from 1."""


class YamlError(InputError):
    """The text is no YAML 1.2; the message has a line for each problem.

    Attributes:
        found: line and column of each problem, and its message.
    """

    def __init__(self, found: Sequence[tuple[Place, str]]) -> None:
        self.found = tuple(sorted(found))
        super().__init__("\n".join(f"{line}:{column}: {text}" for (line, column), text in found))


def place(event: yaml.Event) -> Place:
    """Return where an event starts."""
    mark = event.start_mark
    assert mark is not None
    return mark.line + 1, mark.column + 1


def syntax_error(
    error: yaml.YAMLError | UnicodeError, text: str, before: Sequence[tuple[Place, str]]
) -> YamlError:
    """Return what PyYAML's error says, after what was found before it."""
    if isinstance(error, yaml.MarkedYAMLError):
        found = _marked(error, text)
    elif isinstance(error, UnicodeEncodeError):
        found = (_at(text, error.start), "half of a character; expected UTF-8 text")
    else:
        found = _character(text)
    return YamlError([*before, found])


def _character(text: str) -> tuple[Place, str]:
    """Return the first character that YAML does not allow; both readers place it differently."""
    for index, letter in enumerate(text):
        allowed = letter in "\t\n\r\x85" or " " <= letter <= "~" or letter >= "\xa0"
        if not allowed or letter in "\ufffe\uffff":
            message = f"the character U+{ord(letter):04X} is not allowed"
            if letter == "\0":
                message += "; is this a binary file?"
            return _at(text, index), message
    return (1, 1), "a character that is not allowed"


def _at(text: str, index: int) -> Place:
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)


def _marked(error: yaml.MarkedYAMLError, text: str) -> tuple[Place, str]:
    mark = error.problem_mark or error.context_mark
    lines = text.split("\n")
    line, column = (mark.line, mark.column) if mark else (0, 0)
    here = lines[line] if line < len(lines) else ""
    at_end = line >= len(lines) or (not here[column:].strip() and not "".join(lines[line + 1 :]))
    begun = ""
    if error.context_mark is not None:
        first, at = error.context_mark.line + 1, error.context_mark.column + 1
        # A value on the command line is one line.
        begun = f" that began at {first}:{at}" if len(lines) > 1 else f" that began at column {at}"
    message = _message(error, here[column : column + 1], at_end, begun)
    return (line + 1, column + 1), message


def _message(error: yaml.MarkedYAMLError, letter: str, at_end: bool, begun: str) -> str:
    problem = str(error.problem or error.context or "no YAML")
    context = str(error.context or "")
    if letter == "\t" and ("cannot start any token" in problem or "tab character" in problem):
        return "a tab; YAML indents with spaces"
    if "flow" in context and at_end:
        return f"the text ends inside a list or mapping{begun}; is a bracket left open?"
    for where, what, message in _MESSAGES:
        if where in context and what in problem:
            return message.format(begun=begun, letter=letter)
    return problem


_MESSAGES = (
    ("quoted scalar", "end of stream", "the text ends inside quoted text{begun}"),
    ("flow sequence", "", "expected ',' or ']' in the list{begun}"),
    ("flow mapping", "", "expected ',' or '}}' in the mapping{begun}"),
    ("", "mapping values are not allowed",
     "a ':' where no key can be; is the line indented like its neighbours?"),
    ("", "could not find expected ':'", "expected ':' after the key{begun}"),
    ("", "cannot start any token", "text cannot begin with '{letter}'; put it in quotes"),
    ("block mapping", "",
     "expected a key of the mapping{begun}; does the indentation fit the lines above?"),
    ("block collection", "",
     "expected '-' of the list{begun}; does the indentation fit the lines above?"),
    ("", "incompatible YAML", "expected YAML 1.2"),
)  # fmt: skip
"""Parts of PyYAML's context and problem, and our message for them; the first that fits."""
