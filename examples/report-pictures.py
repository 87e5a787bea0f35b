"""Take the pictures of report pages in examples/figures: the page of a run and that of a study.

    python examples/report-pictures.py

Needs Chromium (`make system`) and Optuna (`pip install 'edgesim[search]'`); takes half a minute.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

EXAMPLES = Path(__file__).parent
FIGURES = EXAMPLES / "figures"
WIDTH = 1060


def picture(page: Path, target: Path, height: int, hidden: str) -> None:
    """Photograph a page without the parts that a CSS selector names."""
    chromium = shutil.which("chromium") or sys.exit("Chromium is missing: apt install chromium")
    html = page.read_text(encoding="utf-8")
    shown = page.with_name("shown.html")
    style = f"<style>{hidden} {{ display: none !important }}</style></head>"
    shown.write_text(html.replace("</head>", style, 1), encoding="utf-8")
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [chromium, "--headless", "--no-sandbox", "--hide-scrollbars", "--disable-gpu",
             "--force-device-scale-factor=0.85",
             f"--user-data-dir={profile}", "--virtual-time-budget=2000",
             f"--window-size={WIDTH},{height}", f"--screenshot={target}", shown.as_uri()],
            check=True, capture_output=True,
        )  # fmt: skip
    print(f"{target}: {target.stat().st_size / 1000:.0f} kB")


def edgesim(*arguments: str | Path) -> None:
    """Run a command of edgesim."""
    command = [sys.executable, "-m", "edgesim", *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Play both and draw them."""
    with tempfile.TemporaryDirectory() as folder:
        run, study = Path(folder, "run"), Path(folder, "study")
        edgesim("run", EXAMPLES / "pis-with-light.yaml", "--out", run)
        picture(
            run / "report.html", FIGURES / "report-run.png", 1280,
            "figure.table, #plan, #energy, #memory, #baselines, #optics, #assumptions, "
            "#scenario, #nodes, nav, .tip, .live > p, footer",
        )  # fmt: skip
        edgesim("sweep", EXAMPLES / "fewest-pis-study.yaml", "--out", study)
        edgesim("report", study)
        picture(
            study / "report.html", FIGURES / "report-study.png", 1400,
            "nav, #filter, #heat, #sensitivity, #points, #study, main p, footer",
        )  # fmt: skip


if __name__ == "__main__":
    main()
