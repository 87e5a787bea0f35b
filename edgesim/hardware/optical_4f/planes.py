"""Pictures of a frame on a 4f accelerator: input, filter and camera, as text and as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optics.tiling import Layout, Rectangle

_SHADES = " ░▒▓█"
_GAP = "  "
_SIDE, _MARGIN = 300.0, 24.0
_MOST_RECTANGLES = 4000
_SEEN = 1.2
"""Side of the smallest rectangle that is seen."""
_COLOURS = ("#2f6fd0", "#2a9d78", "#e0a526", "#a04bbd", "#d1495b", "#5b6675")


@dataclass(frozen=True, slots=True)
class Plane:
    """Tiles on one plane in the first frame of a layout.

    Attributes:
        title: title of the picture.
        size: pixels (rows, columns).
        tiles: rectangles on it.
        colours: number of the image or of the kernel of each tile.
    """

    title: str
    size: tuple[int, int]
    tiles: tuple[Rectangle, ...]
    colours: tuple[int, ...]


class Planes:
    """A picture of the first frame of a layout.

    Attributes:
        layout: layout of the layer.
        caption: caption of the picture as text.
    """

    caption = "One frame, upright; the darker, the more of it is covered."

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    @property
    def figures(self) -> dict[str, Any]:
        """Size of the plane, what lies on each, and the share of it that images cover."""
        return {
            "plane": list(self.layout.plane),
            "planes": [plane.title for plane in self.planes],
            "use": self.layout.use,
        }

    @cached_property
    def planes(self) -> tuple[Plane, Plane, Plane]:
        """The three planes in the first frame, upright."""
        layout = self.layout
        frame = next(iter(layout))
        made = []
        for where, what, find in (
            ("input", "map", layout.image_rectangles),
            ("filter", "kernel", layout.kernel_rectangles),
            ("camera", "map", layout.output_rectangles),
        ):
            tiles = tuple(find(frame))
            # Tiles differ in their last index (images, kernels), or else in the one before.
            telling = 2 if len({tile.index[2] for tile in tiles}) > 1 else 1
            colours = tuple(tile.index[telling] for tile in tiles)
            made.append(Plane(f"{where}: {_count(tiles, what)}", layout.plane, tiles, colours))
        shown, response, read = made
        return shown, response, read

    def text(self, width: int = 80) -> list[str]:
        """Return the planes beside each other as lines; the darker, the more of it tiles cover.

        A character is about twice as high as wide. Titles too long for their picture are cut to it.
        """
        across = (width - 2 * len(_GAP)) // 3 - 2
        rows, columns = self.layout.plane
        down = max(3, min(2 * across, round(across * rows / columns / 2)))
        blocks = []
        for plane in self.planes:
            cover = _cover(plane, down, across)
            shades = np.ceil(cover * (len(_SHADES) - 1)).astype(int)
            blocks.append(
                [
                    f"{plane.title:<{across + 2}.{across + 2}}",
                    "┌" + "─" * across + "┐",
                    *("│" + "".join(_SHADES[level] for level in line) + "│" for line in shades),
                    "└" + "─" * across + "┘",
                ]
            )
        return [_GAP.join(parts) for parts in zip(*blocks, strict=True)]

    def svg(self, title: str, most_rectangles: int = _MOST_RECTANGLES) -> str:
        """Return the planes as an SVG document, to scale; images and kernels by colour."""
        rows, columns = self.layout.plane
        scale = _SIDE / max(rows, columns)
        width = 3 * columns * scale + 4 * _MARGIN
        height = rows * scale + 3 * _MARGIN + 16
        body = [f'<text class="title" x="{_MARGIN}" y="{_MARGIN:.0f}">{escape(title)}</text>']
        for number, plane in enumerate(self.planes):
            x = _MARGIN + number * (columns * scale + _MARGIN)
            body.append(
                f'<g transform="translate({x:.1f} {2 * _MARGIN + 16:.1f})">'
                f'<text y="-8">{escape(plane.title)}</text>'
                f'<rect class="plane" width="{columns * scale:.1f}" height="{rows * scale:.1f}"/>'
            )
            drawn = list(zip(plane.tiles, plane.colours, strict=True))[:most_rectangles]
            body.extend(
                f'<rect class="tile" x="{tile.left * scale:.2f}" y="{tile.top * scale:.2f}" '
                f'width="{max(_SEEN, tile.size[1] * scale):.2f}" '
                f'height="{max(_SEEN, tile.size[0] * scale):.2f}" '
                f'fill="{_COLOURS[colour % len(_COLOURS)]}"/>'
                for tile, colour in drawn
            )
            body.append("</g>")
        style = (
            "text{font:12px system-ui,sans-serif;fill:#1c2430}"
            ".title{font-weight:600;font-size:14px}.plane{fill:#f5f7fa;stroke:#5b6675}.paper{fill:#ffffff}"
            ".tile{stroke:#f5f7fa;stroke-width:.4}"
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
            f'width="{width:.0f}" height="{height:.0f}"><style>{style}</style>'
            f'<rect class="paper" width="100%" height="100%"/>{"".join(body)}</svg>\n'
        )


def _count(tiles: Sequence[Rectangle], what: str) -> str:
    return f"{len(tiles):,} {what}{'s' if len(tiles) > 1 else ''}"


def _cover(plane: Plane, down: int, across: int) -> NDArray[np.float64]:
    """Return the share of each character's pixels that tiles cover, (down, across)."""
    covered = np.zeros(plane.size, dtype=np.float64)
    for tile in plane.tiles:
        top, left = max(0, tile.top), max(0, tile.left)
        covered[top : tile.top + tile.size[0], left : tile.left + tile.size[1]] = 1.0
    # Exact areas by differences of the running sum, between edges that need not be whole pixels.
    running = np.pad(covered.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    for axis, parts in ((0, down), (1, across)):
        size = plane.size[axis]
        edges = np.linspace(0, size, parts + 1)
        low = np.minimum(edges.astype(int), size - 1)
        share = np.expand_dims(edges - low, 1 - axis)
        running = (1 - share) * running.take(low, axis) + share * running.take(low + 1, axis)
    area = plane.size[0] / down * plane.size[1] / across
    cover = np.diff(np.diff(running, axis=0), axis=1) / area
    # What rounding leaves is nothing.
    return np.where(cover < 1e-9, 0.0, np.minimum(cover, 1.0))
