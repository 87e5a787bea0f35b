"""Chromium without a screen, by its command line."""

from __future__ import annotations

import html
import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.needs import CHROMIUM

_LEAST_WIDTH = 500
"""Of a window of Chromium."""


@dataclass(frozen=True)
class Seen:
    """What a browser made of a page.

    Attributes:
        dom: as HTML, after its script ran.
        console: lines that it wrote there, errors of the policy among them.
        told: what the probe found.
    """

    dom: str
    console: tuple[str, ...]
    told: dict[str, Any]


def browse(page: str, folder: Path, *, width: int = 1280, probe: str = "") -> Seen:
    """Load a page from a file and return what came of it.

    Args:
        page: HTML.
        folder: an empty one, for the page and the browser's profile.
        width: of the window, in CSS pixels; its height is 2000.
        probe: JavaScript that runs after the page's own and fills the object ``told``. The page's
            policy, which forbids it, is taken out then.
    """
    if probe:
        page, changed = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
        assert changed == 1
        script = (
            f"<script>const told = {{}};\n{probe}\n"
            "document.body.dataset.told = JSON.stringify(told);</script></body>"
        )
        head, _, tail = page.rpartition("</body>")
        page = head + script + tail
    if width < _LEAST_WIDTH:
        page = _framed(page, width)
    file = folder / "page.html"
    file.write_text(page, encoding="utf-8")
    done = subprocess.run(
        [
            CHROMIUM.found, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update",
            "--disable-dev-shm-usage", f"--user-data-dir={folder / 'profile'}",
            "--enable-logging=stderr", "--v=0", f"--window-size={width},2000",
            "--virtual-time-budget=1000", "--dump-dom", file.as_uri(),
        ],
        capture_output=True, text=True, encoding="utf-8", timeout=60, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "</html>" in done.stdout, done.stderr
    console = tuple(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    dom = done.stdout
    inside = re.search(r'data-dom="([^"]*)"', dom)
    if inside:
        dom = html.unescape(inside[1])
    held = re.search(r'data-told="([^"]*)"', dom)
    return Seen(dom, console, json.loads(html.unescape(held[1])) if held else {})


def _framed(page: str, width: int) -> str:
    """Return a page that holds another in a frame of a phone's width, and its DOM once it ran."""
    return (
        f'<!doctype html><html><body><iframe width="{width}" height="2000" style="border: 0" '
        f'srcdoc="{html.escape(page)}"></iframe><script>const frame = document.querySelector('
        '"iframe"); frame.addEventListener("load", () => { document.body.dataset.dom = '
        "frame.contentDocument.documentElement.outerHTML; });</script></body></html>"
    )
