"""The numbers that a page shows, and what they are numbers of."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any


class _Found(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.values: list[tuple[str, Any]] = []
        self.texts: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = dict(attrs)
        key, value = held.get("data-key"), held.get("data-value")
        if key is not None and value is not None:
            self.values.append((key, json.loads(value)))
            self.texts.append("")
            self._inside = True

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.texts[-1] += data


def numbers_of(html: str) -> list[tuple[str, Any, str]]:
    """Return key path, value and text of every number of a page."""
    found = _Found()
    found.feed(html)
    return [
        (key, value, text) for (key, value), text in zip(found.values, found.texts, strict=True)
    ]


def looked_up(document: Any, path: str) -> Any:
    """Return what stands under a key path; keys may have dots themselves.

    Raises:
        KeyError: nothing does.
    """
    if not path:
        return document
    if isinstance(document, dict):
        for key, inside in document.items():
            if path == key or path.startswith(f"{key}."):
                try:
                    return looked_up(inside, path[len(key) + 1 :])
                except KeyError:
                    continue
    raise KeyError(path)
