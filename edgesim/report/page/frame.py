"""The frame of a page: head, style, script, navigation and foot."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from html import escape
from pathlib import Path

from edgesim.report.page.markup import Section, name

LIGHT = {
    "paper": "#ffffff", "card": "#f4f6f9", "line": "#d5dbe3", "ink": "#18202b", "dim": "#525d6c",
    "link": "#005a8f", "queue": "#b87900", "compute": "#0072b2", "transfer": "#00845f",
    "fusion": "#a6447c", "idle": "#75808f", "mark": "#b84300", "warn": "#fff2d1",
    "warn-ink": "#573f00",
}  # fmt: skip
DARK = {
    "paper": "#14181f", "card": "#1d232c", "line": "#39424f", "ink": "#e8ecf2", "dim": "#a5b0be",
    "link": "#7cc4f0", "queue": "#e69f00", "compute": "#56b4e9", "transfer": "#2fbf91",
    "fusion": "#e39ac4", "idle": "#8b96a5", "mark": "#f08a4b", "warn": "#3d3110",
    "warn-ink": "#ffe2a0",
}  # fmt: skip


def variables() -> str:
    """Return the colours as CSS, for a light page, a dark one, and one that was switched."""
    light, dark = (
        "".join(f"--{name}:{colour};" for name, colour in colours.items())
        for colours in (LIGHT, DARK)
    )
    return (
        f":root{{color-scheme:light;{light}}}"
        "@media screen and (prefers-color-scheme:dark){:root:not([data-theme=light])"
        f"{{color-scheme:dark;{dark}}}}}"
        f"@media screen{{:root[data-theme=dark]{{color-scheme:dark;{dark}}}}}"
    )


def document(
    title: str, intro: str, sections: Sequence[Section], foot: str, scripts: Sequence[str] = ()
) -> str:
    """Return a whole page.

    A policy in its head forbids requests and every script but its own, whose hash it names.

    Args:
        title: a name that someone chose.
        intro: HTML between title and navigation.
        sections: in order.
        foot: HTML.
        scripts: files of this package, after the common one.
    """
    script = "\n".join(file(one) for one in ("common.js", *scripts))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    links = "".join(f'<li><a href="#{one.anchor}">{escape(one.title)}</a></li>' for one in sections)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)} · edgesim</title>\n"
        f"<style>{variables()}\n{file('style.css')}</style></head><body>\n"
        '<a class="skip" href="#main">Skip to the results</a>\n<header><div class="top">'
        f'<h1>{name(title)}</h1><button class="theme" type="button">Dark</button></div>\n'
        f'{intro}\n<nav aria-label="Sections"><ul>{links}</ul></nav></header>\n<main id="main">\n'
        + "\n".join(one.html() for one in sections)
        + f"\n</main>\n<footer>{foot}</footer>\n<script>{script}</script>\n</body></html>\n"
    )


@cache
def file(name: str) -> str:
    """Return the text of a file of this package."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
