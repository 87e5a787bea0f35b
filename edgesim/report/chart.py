"""Charts: their colours, scales and shapes, and what several pages draw with them.

A chart is SVG, drawn twice: as wide as a screen, and as a phone. Style sheets choose.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from markupsafe import Markup

from edgesim.common.text import duration, visible

LIGHT = {
    "paper": "#ffffff", "card": "#f4f6f9", "line": "#d5dbe3", "ink": "#18202b", "dim": "#525d6c",
    "link": "#005a8f", "queue": "#b87900", "compute": "#0072b2", "transfer": "#00845f",
    "fusion": "#a6447c", "idle": "#75808f", "mark": "#b84300", "warn": "#fff2d1",
    "warn-ink": "#573f00",
}  # fmt: skip
"""Colours of a light page by what they mean; after Okabe and Ito (2008)."""
DARK = {
    "paper": "#14181f", "card": "#1d232c", "line": "#39424f", "ink": "#e8ecf2", "dim": "#a5b0be",
    "link": "#7cc4f0", "queue": "#e69f00", "compute": "#56b4e9", "transfer": "#2fbf91",
    "fusion": "#e39ac4", "idle": "#8b96a5", "mark": "#f08a4b", "warn": "#3d3110",
    "warn-ink": "#ffe2a0",
}  # fmt: skip
"""The same of a dark page."""
BROAD, NARROW = 960.0, 360.0
"""Widths that a chart is drawn in: of a screen, and of a phone."""
_ROW = 24.0
_LETTER = 7.0
"""Width of a letter, about."""


class Drawing:
    """The shapes of one SVG; texts in it are escaped.

    Attributes:
        width: of the drawing.
        height: of the drawing, which whoever draws sets.
        names: width at the left for the names of rows, which `name_rows` sets.
    """

    def __init__(self, width: float) -> None:
        self.width = width
        self.height = 0.0
        self.names = 0.0
        self._shapes: list[Markup] = []

    @property
    def broad(self) -> bool:
        """Whether it is for a screen, not for a phone."""
        return self.width >= BROAD

    def name_rows(self, names: Iterable[str]) -> None:
        """Make room for the names of rows: for the longest, but at most two fifths of the width."""
        longest = max(map(len, names), default=0) * _LETTER + 10.0
        self.names = min(max(longest, 40.0), 0.4 * self.width)

    def add(
        self, tag: str, inside: str = "", *, title: str = "", **attributes: str | float
    ) -> None:
        """Add a shape.

        Args:
            tag: of the element.
            inside: text.
            title: text that is shown where the pointer rests on the shape.
            attributes: of the element; ``_`` stands for ``-``, empty ones are left out.
        """
        inside = Markup("<title>{}</title>").format(visible(title)) if title else visible(inside)
        pairs = Markup(" ").join(
            Markup('{}="{}"').format(
                name.strip("_").replace("_", "-"),
                f"{value:.1f}" if isinstance(value, float) else value,
            )
            for name, value in attributes.items()
            if value != ""
        )
        self._shapes.append(Markup("<{0} {1}>{2}</{0}>").format(Markup(tag), pairs, inside))

    def rect(
        self, x: float, y: float, width: float, height: float, kind: str, title: str = ""
    ) -> None:
        """Add a rectangle of a class."""
        self.add("rect", title=title, class_=kind, x=x, y=y, width=width, height=height)

    def text(self, x: float, y: float, text: str, kind: str = "", anchor: str = "") -> None:
        """Add a text at the height of its base line."""
        self.add("text", text, class_=kind, x=x, y=y, text_anchor=anchor)

    def line(self, points: Iterable[tuple[float, float]], kind: str) -> None:
        """Add a line through points."""
        self.add("polyline", class_=kind, points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points))

    def dot(self, x: float, y: float, radius: float, kind: str, title: str = "") -> None:
        """Add a circle."""
        self.add("circle", title=title, class_=kind, cx=x, cy=y, r=radius)

    def name(self, y: float, text: str, kind: str = "") -> None:
        """Add the name of a row at its left, shortened where it would touch the row."""
        self.text(0.0, y, shortened(text, int((self.names - 8.0) / _LETTER)), kind)

    def time_axis(self, scale: Scale, base: float, top: float | None = None) -> None:
        """Add a scale of times from left to right; labels that would touch another are left out.

        Args:
            scale: whose ends are places from left to right.
            base: height of the axis.
            top: to where the lines of a grid go; no grid if None.
        """
        self.add("path", class_="axis", d=f"M{scale.start:.1f} {base:.1f}H{scale.end:.1f}")
        free = 0.0
        for value in scale.ticks(8 if self.broad else 4):
            at, text = scale(value), duration(value)
            end = f"V{top:.1f}" if top is not None else "v5"
            self.add("path", class_="axis", d=f"M{at:.1f} {base:.1f}{end}")
            half = len(text) * _LETTER / 2
            centre = min(at, self.width - half)
            if centre - half >= free:
                self.text(centre, base + 18.0, text, "dim", "middle")
                free = centre + half + _LETTER

    def svg(self, kind: str, label: str) -> Markup:
        """Return the SVG of a class; ``label`` is read aloud in its place."""
        return Markup(
            '<svg class="{}" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
        ).format(
            kind, f"{self.width:.0f}", f"{self.height:.0f}", label, Markup("").join(self._shapes)
        )


@dataclass(frozen=True, slots=True)
class Scale:
    """Where values stand.

    Attributes:
        low: least value, above 0 on a logarithmic scale.
        high: greatest value.
        start: place of the least.
        end: place of the greatest.
        log: whether it is logarithmic.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the place of a value; of one beyond an end, that end."""
        if self.log:
            share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / ((self.high - self.low) or 1.0)
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)

    def ticks(self, most: int) -> list[float]:
        """Return at most so many round values; the ends where fewer than two are round."""
        found = self._powers(most) if self.log else []
        span = self.high - self.low
        if len(found) < 3 and span > 0.0:
            step = 10.0 ** math.floor(math.log10(span / most))
            step = next(f * step for f in (1, 2, 5, 10, 20) if span / (f * step) <= most - 1)
            first, last = math.ceil(self.low / step), math.floor(self.high / step + 1e-9)
            found = [number * step for number in range(first, last + 1)]
        return found if len(found) > 1 else [self.low, self.high]

    def _powers(self, most: int) -> list[float]:
        """Return 1, 2, 3... or 1, 2, 5 or 1, 3 or 1 times powers of ten: as many as fit."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for factors in (range(1, 10), (1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
            found = [factor * 10.0**power for power in powers for factor in factors]
            found = [one for one in found if self.low <= one <= self.high]
            if len(found) <= most:
                break
        return found[:: -(-len(found) // most) or 1]


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing in both widths.

    Attributes:
        label: read aloud in its place.
        draw: adds the shapes, and sets the height.
        caption: below it.
        legend: what its colours mean: (class, text).
    """

    label: str
    draw: Callable[[Drawing], None]
    caption: str = ""
    legend: Sequence[tuple[str, str]] = ()

    @property
    def drawings(self) -> Markup:
        """Both drawings."""
        made = Markup("")
        for kind, width in (("broad", BROAD), ("narrow", NARROW)):
            drawing = Drawing(width)
            self.draw(drawing)
            made += drawing.svg(kind, self.label)
        return made


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of `bars`.

    Attributes:
        name: at the left.
        pieces: (class, length) from left to right.
        text: at the right of the bar.
        heading: whether it is the heading of the rows below it, without a bar.
    """

    name: str
    pieces: Sequence[tuple[str, float]] = ()
    text: str = ""
    heading: bool = False


def bars(
    label: str,
    rows: Sequence[Bar],
    most: float,
    caption: str = "",
    legend: Sequence[tuple[str, str]] = (),
    limit: int = 24,
) -> Chart:
    """Return bars of pieces, one below the other.

    Args:
        label: read aloud in its place.
        rows: from top to bottom.
        most: length of the longest bar that could be.
        caption: below it.
        legend: what colours mean: (class, text).
        limit: rows; of more, the first are drawn.
    """
    if len(rows) > limit:
        caption += f" The first {limit} of {len(rows):,}."
    return Chart(label, partial(_bars, rows[:limit], most), caption, legend)


def _bars(rows: Sequence[Bar], most: float, drawing: Drawing) -> None:
    drawing.name_rows(row.name for row in rows if not row.heading)
    right = max(len(row.text) for row in rows) * _LETTER + 10.0 if rows else 0.0
    scale = Scale(0.0, most, 0.0, drawing.width - drawing.names - right)
    for number, row in enumerate(rows):
        top, at = _ROW * number, drawing.names
        if row.heading:
            drawing.text(0.0, top + 16, row.name, "strong")
            continue
        drawing.name(top + 16, row.name)
        for kind, value in row.pieces:
            long = scale(value)
            if long > 0.0:
                title = f"{kind} {row.text}" if len(row.pieces) == 1 else ""
                drawing.rect(at, top + 3, max(0.6, long), 17.0, f"{kind} cut", title)
            at += long
        drawing.text(at + 6, top + 16, row.text, "dim")
    drawing.height = _ROW * len(rows) + 4


def shortened(text: str, letters: int) -> str:
    """Return a text of at most so many letters; of a longer one the middle is left out.

    Names that begin alike, such as those of two devices of a family, still differ.
    """
    if len(text) <= letters:
        return text
    tail = max(0, letters - 1) // 2
    return f"{text[: max(1, letters - 1 - tail)]}…{text[len(text) - tail :]}"
