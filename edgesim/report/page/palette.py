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


def luminance(colour: str) -> float:
    """Return the relative luminance of ``#rrggbb``, from 0 to 1 (WCAG 2.2)."""
    values = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in values
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, from 1 to 21 (WCAG 2.2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


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
