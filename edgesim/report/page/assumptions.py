"""What a result rests on: every figure of every device with its source, and the scenario."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from edgesim.common.text import duration, percent
from edgesim.report.page.markup import name, table


def assumed(document: Mapping[str, Any]) -> str:
    """Return the figures of each device, with estimates marked."""
    body = (
        "<p>Every figure that the devices were played with. An estimate is one that nobody "
        "measured or published.</p>"
    )
    for device, figures in document["devices"].items():
        guessed = sum(_is_estimate(source) for _, _, source in figures)
        told = f"{len(figures)} figures"
        if guessed:
            told += f", {guessed} of them estimates" if guessed > 1 else ", one of them an estimate"
        if not figures:
            body += f"<p>{name(device)}: its figures are in no catalog and not in the scenario.</p>"
            continue
        rows = [
            [
                escape(figure),
                escape(value),
                f"{'<strong>estimate</strong> ' if _is_estimate(source) else ''}{_source(source)}",
            ]
            for figure, value, source in figures
        ]
        shown = table(f"Figures of {device}", ["figure", "value", "source"], rows, text=True)
        body += (
            f'<details class="print"><summary>{name(device)} '
            f'<span class="dim">{told}</span></summary>{shown}</details>'
        )
    return body


def _is_estimate(source: str) -> bool:
    return source.lower().startswith("estimate")


def _source(source: str) -> str:
    if not source:
        return '<span class="dim">none given</span>'
    rest = source[len("estimate") :].lstrip(" :;,") if _is_estimate(source) else source
    return escape(rest)


def optics(document: Mapping[str, Any]) -> str:
    """Return the planes of one layer on every optical node."""
    body = ""
    for one in document["optics"]:
        planes = "; ".join(one["planes"])
        body += (
            f'<figure><img alt="{escape("Planes of one frame: " + planes)}" '
            f'src="data:image/svg+xml;base64,{escape(one["svg"])}">'
            f"<figcaption>{name(one['node'])}, layer {name(one['layer'])} "
            f"({escape(one['shape'])}), which takes longest on light: {one['frames']:,} frames, "
            f"{duration(one['time_s'])}. One frame of {one['plane'][0]}×{one['plane'][1]} pixels, "
            f"to scale and upright; {escape(planes)}; images cover {percent(one['use'])} of the "
            "plane.</figcaption></figure>"
        )
    return body


def scenario(text: str) -> str:
    """Return the resolved scenario, collapsed."""
    return (
        "<p>Runs again to the same numbers; also in scenario.yaml.</p>"
        f"<details><summary>Show the scenario</summary><pre>{escape(text)}</pre></details>"
    )
