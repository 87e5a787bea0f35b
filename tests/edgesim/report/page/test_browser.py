"""The pages in a browser: nothing fails, everything is drawn, nothing is fetched."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgesim import api
from edgesim.common.text import visible
from edgesim.report import folder
from edgesim.report.page import both_page, study_page
from edgesim.report.page.both_page import Latencies
from edgesim.results.result import Result
from edgesim.sweep.table import non_dominated
from tests.edgesim.command import FIVE_PIS
from tests.edgesim.report.page.browser import browse
from tests.edgesim.report.page.numbers_of import looked_up, numbers_of
from tests.edgesim.report.page.test_run_page import HOSTILE
from tests.edgesim.report.page.test_study_page import RESULTS, table
from tests.edgesim.report.page.test_study_page import grid as levels
from tests.edgesim.report.test_both_page import comparison
from tests.needs import CHROMIUM

pytestmark = CHROMIUM.mark

WIDTHS = (1280, 390)
COMMON = """
told.overflow = document.scrollingElement.scrollWidth - window.innerWidth;
told.width = window.innerWidth;
told.fetched = performance.getEntriesByType("resource").map((one) => one.name.slice(0, 40))
  .filter((name) => !name.startsWith("data:"));
function inked(canvas) {
  const held = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let count = 0;
  for (let place = 3; place < held.length; place += 4) if (held[place]) count += 1;
  return count / (canvas.width * canvas.height);
}
told.inked = {};
for (const one of document.querySelectorAll("canvas")) told.inked[one.id] = inked(one);
told.charts = [...document.querySelectorAll("section")].filter((section) =>
  [...section.querySelectorAll("figure > svg, canvas, img")].some((one) => {
    const box = one.getBoundingClientRect();
    return box.width > 200 && box.height > 20;
  })).map((section) => section.id);
told.unnamed = [...document.querySelectorAll("button, select, input, canvas, figure > svg, img")]
  .filter((one) => !(one.textContent.trim() || one.getAttribute("aria-label") || one.alt
    || (one.labels && one.labels.length))).map((one) => one.outerHTML.slice(0, 80));
function pressed(target, key) {
  target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
}
"""
OF_A_RUN = """
const canvas = document.getElementById("timeline-canvas");
const before = canvas.toDataURL();
document.querySelector("[data-do=in]").click();
told.zoomed = canvas.toDataURL() !== before;
document.querySelector("[data-do=first]").click();
told.returned = canvas.toDataURL() === before;
pressed(canvas, "ArrowRight");
told.moved = canvas.toDataURL() !== before;
pressed(canvas, "n");
told.tip = document.getElementById("timeline-tip").textContent;
const paper = () => getComputedStyle(document.body).backgroundColor;
told.papers = [paper()];
document.querySelector(".theme").click();
told.papers.push(paper());
"""
OF_A_STUDY = """
told.front = document.getElementById("front-canvas").dataset.front.split(" ").map(Number);
told.cells = Number(document.getElementById("heat-canvas").dataset.cells);
const headings = document.querySelectorAll("#points thead button");
const latency = 3;
headings[latency].click();
const column = () => [...document.querySelectorAll("#points tbody tr")].map((row) =>
  JSON.parse(row.cells[latency].querySelector("[data-value]").dataset.value));
told.up = column();
told.widths = [headings.length, document.querySelector("#points tbody tr").cells.length];
headings[latency].click();
told.down = column();
const filter = document.querySelector("[data-filter=two]");
filter.value = "1";
filter.dispatchEvent(new Event("change"));
told.count = document.getElementById("count").textContent;
told.cells_filtered = Number(document.getElementById("heat-canvas").dataset.cells);
document.getElementById("clear").click();
told.count_cleared = document.getElementById("count").textContent;
"""


@pytest.fixture(scope="module")
def five_pis() -> Result:
    return api.run(api.load(FIVE_PIS, overrides=["traffic.requests=200"]))


def html_of(result: Result) -> str:
    return "".join(folder.files_of(result)["report.html"]())


def assert_sound(told: dict[str, Any], width: int) -> None:
    """Assert what holds of every page."""
    assert told["width"] == width
    assert told["overflow"] <= 0, "the page scrolls sideways"
    assert told["fetched"] == []
    assert told["unnamed"] == []
    assert all(share > 0.01 for share in told["inked"].values()), told["inked"]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_run_s_page(five_pis: Result, width: int, tmp_path: Path) -> None:
    seen = browse(html_of(five_pis), tmp_path, width=width, probe=COMMON + OF_A_RUN)
    assert seen.console == ()
    told = seen.told
    assert_sound(told, width)
    assert told["charts"] == ["latency", "path", "plan", "timeline", "nodes", "energy", "memory"]
    assert told["zoomed"]
    assert told["returned"]
    assert told["moved"]
    assert told["tip"].startswith("Request 0: input→part-")
    assert told["papers"] == ["rgb(255, 255, 255)", "rgb(20, 24, 31)"]
    for key, value, _ in numbers_of(seen.dom):
        assert value == looked_up(five_pis.summary, key)


def test_the_page_as_it_is_runs_under_its_policy(five_pis: Result, tmp_path: Path) -> None:
    seen = browse(html_of(five_pis), tmp_path)
    # A script that the policy forbids says so there, and one that ran marks the page.
    assert seen.console == ()
    assert '<html lang="en" class="js">' in seen.dom
    assert "default-src 'none'" in seen.dom


def test_the_policy_forbids_what_is_not_the_page_s_own(five_pis: Result, tmp_path: Path) -> None:
    foreign = "<script>document.body.id = 'taken'</script><img src='http://127.0.0.1:9/x.png'>"
    html = html_of(five_pis).replace("<footer>", foreign + "<footer>")
    seen = browse(html, tmp_path)
    assert "<body>" in seen.dom
    assert 'id="taken"' not in seen.dom
    assert len([line for line in seen.console if "Content Security Policy" in line]) == 2


def test_hostile_names_do_nothing(tmp_path: Path) -> None:
    result = api.run(api.load(FIVE_PIS, overrides=["traffic.requests=20"]))
    summary = {**result.summary, "name": HOSTILE, "warnings": [HOSTILE]}
    html = html_of(dataclasses.replace(result, summary=summary))
    probe = (
        "told.title = document.querySelector('h1').textContent;"
        "told.images = document.images.length;"
    )
    seen = browse(html, tmp_path, probe=probe)
    assert seen.console == ()
    assert seen.told == {"title": visible(HOSTILE), "images": 0}


@pytest.mark.parametrize("width", WIDTHS)
def test_a_study_s_page(width: int, tmp_path: Path) -> None:
    one, two = levels(20, 3)
    noise = np.random.default_rng(8)
    costs = noise.lognormal(size=(60, 2))
    costs[7] = np.nan
    study = table({"one": one, "two": two, RESULTS[0]: costs[:, 0], RESULTS[1]: costs[:, 1],
                   "settled": np.ones(60)})  # fmt: skip
    html = study_page.page(study)
    seen = browse(html, tmp_path, width=width, probe=COMMON + OF_A_STUDY)
    assert seen.console == ()
    told = seen.told
    assert_sound(told, width)
    assert told["charts"] == ["parallel", "front", "heat", "sensitivity"]
    known = np.flatnonzero(np.isfinite(costs[:, 0]))
    assert sorted(told["front"]) == known[non_dominated(costs[known])].tolist()
    # Twenty values in ten parts, three values; 19 rows of 20 are not whole in one of them.
    assert told["cells"] == 30
    assert told["cells_filtered"] == 10
    assert told["count"].startswith("20 of 60 rows")
    assert told["count_cleared"].startswith("60 of 60 rows")
    ranked = sorted(costs[known, 0].tolist())
    assert told["up"] == ranked[:25]
    # A column that says of every point that it settled is left out, of the head as of the rows.
    assert told["widths"] == [5, 5]
    assert told["down"] == ranked[::-1][:25]
    for key, value, _ in numbers_of(seen.dom):
        first, _, name = key.partition(".")
        if first.isdigit():
            assert value == study.row(int(first))[name]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_comparison_s_page(width: int, tmp_path: Path) -> None:
    noise = np.random.default_rng(3)
    document = comparison()
    latencies = {"load-0.5": Latencies(noise.lognormal(size=300), noise.lognormal(size=300))}
    html = both_page.page(document, latencies)
    seen = browse(html, tmp_path, width=width, probe=COMMON)
    assert seen.console == ()
    assert_sound(seen.told, width)
    assert seen.told["charts"] == ["load-0", "load-1"]
