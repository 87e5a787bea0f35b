"""Colours of the pages: told apart by people with any colour vision, on light and on dark.

After Okabe and Ito (https://jfly.uni-koeln.de/color/), darkened on white so that a mark has three
times the luminance of its ground or a third of it (WCAG 2.2, 1.4.11), and text 4.5 times (1.4.3).
"""

from __future__ import annotations

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
TEXTS = ("ink", "dim", "link")
MARKS = ("queue", "compute", "transfer", "fusion", "idle", "mark")


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
