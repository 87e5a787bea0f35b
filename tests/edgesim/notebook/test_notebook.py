"""edgesim in a notebook: frames that are the files, plots that show them, and light imports."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import edgesim
from edgesim.common.errors import EdgesimError, InputError
from edgesim.report.chart import LIGHT
from tests import needs
from tests.edgesim.command import FIVE_PIS, ROOT, environment

SCRIPTS = sorted((ROOT / "examples" / "notebooks").glob("*.py"))
needs.PANDAS.require()
mpl = pytest.importorskip("matplotlib", reason=needs.MATPLOTLIB.reason)
plt = pytest.importorskip("matplotlib.pyplot", reason=needs.MATPLOTLIB.reason)
mpl.use("Agg")


@pytest.fixture(scope="module")
def cluster() -> edgesim.Loaded:
    return edgesim.load(FIVE_PIS, set={"traffic.rate": "1/s", "traffic.requests": 200}, seed=3)


@pytest.fixture(scope="module")
def played(cluster: edgesim.Loaded) -> edgesim.Played:
    return cluster.run(trace_requests=20)


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def test_settings_and_the_seed_are_taken(cluster: edgesim.Loaded) -> None:
    assert cluster.scenario.traffic.rate_per_s == 1.0
    assert (cluster.scenario.traffic.requests, cluster.scenario.seed) == (200, 3)


def test_what_notebooks_use_is_listed() -> None:
    assert set(edgesim.__all__) <= set(dir(edgesim))


@pytest.mark.parametrize(("source", "got"), [([], "a list"), (None, "nothing"), (5, "5")])
def test_a_source_that_is_no_path_is_refused(source: object, got: str) -> None:
    with pytest.raises(InputError, match=f"expected a path or a mapping, got {got}"):
        edgesim.load(source)


def test_errors_speak_of_what_a_notebook_gave() -> None:
    with pytest.raises(InputError, match=r"^traffic\.rat=1: traffic\.rat: unknown key"):
        edgesim.load(FIVE_PIS, set={"traffic.rat": 1})
    with pytest.raises(InputError, match=r"^seed -1: seed: expected at least 0"):
        edgesim.load(FIVE_PIS, seed=-1)
    with pytest.raises(InputError, match=r"^the mapping: expected a value for 'model'"):
        edgesim.load({})


def test_settings_may_be_numbers_of_numpy_and_are_plain_data() -> None:
    loaded = edgesim.load(
        FIVE_PIS, set={"traffic.requests": np.int64(5), "traffic.rate": np.float32(2)}
    )
    assert (loaded.scenario.traffic.requests, loaded.scenario.traffic.rate_per_s) == (5, 2.0)
    with pytest.raises(
        InputError, match=r"^set: traffic\.rate: expected plain YAML data, got <obj"
    ):
        edgesim.load(FIVE_PIS, set={"traffic.rate": object()})


def test_a_study_counts_the_points_that_failed() -> None:
    data = {"nodes": {"pi": {"device": {"peak": {"fp32": "1 GFLOP/s"}, "memory": {"capacity": 1}}}},
            "model": {"name": "vit_tiny_patch16_224"}, "placement": {"strategy": "single"},
            "traffic": {"arrivals": "periodic", "rate": 1, "requests": 3}}  # fmt: skip
    study = edgesim.study({"name": "small", "base": data, "axes": {"seed": [1, 2]}})
    assert repr(study) == "<small: 2 of 2 points, 2 failed>"


def test_plain_data_load_as_their_file_does(cluster: edgesim.Loaded) -> None:
    import yaml

    data = yaml.safe_load(FIVE_PIS.read_text())
    changes = {"traffic.rate": "1/s", "traffic.requests": 200}
    loaded = edgesim.load(data, set=changes, seed=3)
    assert loaded.scenario.document == cluster.scenario.document
    assert loaded.scenario.traffic == cluster.scenario.traffic
    # What was given stays as it is.
    assert data == yaml.safe_load(FIVE_PIS.read_text())
    with pytest.raises(InputError, match=r"traffic\.rat: unknown key 'rat' .did you mean 'rate'"):
        edgesim.load({**data, "traffic": {"arrivals": "poisson", "rat": "1/s", "requests": 3}})


def test_a_loaded_scenario_is_one_line(cluster: edgesim.Loaded) -> None:
    told = repr(cluster)
    assert len(told) < 200
    assert "\n" not in told
    assert "'five-pis': vit_base_patch16_224, class-wise on 6 nodes, 200 requests poisson" in told


def test_frames_are_what_the_files_hold(played: edgesim.Played, tmp_path: Path) -> None:
    import pandas as pd

    folder = played.save(tmp_path / "out")
    for name in ("requests", "tasks"):
        written = pd.read_csv(folder / f"{name}.csv")
        pd.testing.assert_frame_equal(getattr(played, name), written)
    frame = played.requests
    assert frame["latency_s"].mean() == pytest.approx(played.summary["latency_s"]["mean"])
    parts = frame[["queue_s", "compute_s", "transfer_s", "fusion_s"]].sum(axis=1)
    np.testing.assert_allclose(parts, frame["latency_s"], rtol=1e-12)
    assert played.nodes.loc["pi-0", "device"] == "raspberry-pi-4b"
    assert played.nodes["energy_j"].sum() == pytest.approx(played.summary["energy_j"]["total"])
    assert played.links["bytes"].sum() > 0


def test_latency_is_drawn_with_its_percentiles(played: edgesim.Played) -> None:
    axes = played.plot.latency()
    (curve, *dots) = axes.get_lines()
    x, y = curve.get_data()
    np.testing.assert_array_equal(x, np.sort(played.requests["latency_s"]))
    assert y[-1] == 1.0
    told = [float(dot.get_xdata()[0]) for dot in dots]
    assert told == [played.summary["latency_s"][name] for name in ("p50", "p90", "p99")]
    assert axes.get_xlabel() == "latency (s)"


def test_the_timeline_has_a_bar_for_every_span(played: edgesim.Played) -> None:
    axes = played.plot.timeline(requests=5)
    spans = played.tasks[played.tasks["request"] < 5]
    transfers = spans["kind"] == "transfer"
    # Each way between the hub and a Pi is two links, by way of the switch.
    assert len(axes.patches) == (~transfers).sum() + 2 * transfers.sum()
    assert {label.get_text() for label in axes.get_yticklabels()} >= {"pi-0", "hub", "pi-0-switch"}


def test_the_timeline_shows_what_takes_microseconds_and_no_legend_covers_it(
    played: edgesim.Played,
) -> None:
    axes = played.plot.timeline(requests=5)
    figure = axes.figure
    figure.set_dpi(100)
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int)
    fusion = np.array([round(255 * part) for part in mpl.colors.to_rgb(LIGHT["fusion"])])
    row = [label.get_text() for label in axes.get_yticklabels()].index("hub")
    inside = axes.get_window_extent()
    y = pixels.shape[0] - round(axes.transData.transform((0.0, row))[1])
    line = pixels[y, round(inside.x0) : round(inside.x1)]
    assert (np.abs(line - fusion).sum(axis=1) < 200).sum() >= 5
    legend = axes.get_legend()
    assert legend is not None
    assert legend.get_window_extent().y0 >= inside.y1 - 1.0


def test_results_are_one_line_where_they_are_printed(played: edgesim.Played) -> None:
    assert repr(played) == "<five-pis: 200 of 200 requests answered>"
    assert repr(played.result) == "<result of five-pis, simulate, 200 requests>"


def test_energy_adds_up(played: edgesim.Played) -> None:
    axes = plt.figure().subplots()
    assert played.plot.energy(axes) is axes
    drawn = sum(bar.get_width() for bar in axes.patches)
    assert drawn == pytest.approx(played.summary["energy_j"]["total"])


def test_energy_without_a_power_is_not_known(played: edgesim.Played) -> None:
    energy = {**played.summary["energy_j"], "total": 0.0, "per_request": 0.0}
    summary = {**played.summary, "energy_j": energy}
    without = edgesim.Played(replace(played.result, summary=summary))
    assert re.search(r'data-key="energy_j.per_request"[^>]*>not known<', without._repr_html_())
    with pytest.raises(EdgesimError, match="energy is not known: no power is given"):
        without.plot.energy()


def test_a_sweep_is_a_frame_and_a_heat_map(cluster: edgesim.Loaded) -> None:
    found = cluster.sweep(
        {"traffic.rate": ["0.5/s", "1/s", "2/s"], "placement.heads": [1, 3]},
        keep=["latency_s.p99", "latency_s.mean"],
    )
    frame = found.frame
    assert len(found) == len(frame) == 6
    again = edgesim.load(
        FIVE_PIS,
        set={"traffic.rate": "2/s", "traffic.requests": 200, "placement.heads": 3},
        seed=3,
    ).run()
    at = frame[(frame["traffic.rate"] == 2.0) & (frame["placement.heads"] == 3)]
    assert at["latency_s.p99"].item() == again.summary["latency_s"]["p99"]
    axes = found.plot.heatmap("traffic.rate", "placement.heads", "latency_s.p99")
    (picture,) = axes.get_images()
    table = frame.pivot(index="placement.heads", columns="traffic.rate", values="latency_s.p99")
    np.testing.assert_array_equal(picture.get_array(), table.to_numpy())
    with pytest.raises(InputError, match=r"no 'latency_s.p9'.*did you mean 'latency_s.p99'"):
        found.plot.heatmap("traffic.rate", "placement.heads", "latency_s.p9")
    with pytest.raises(InputError, match="optimize"):
        found.plot.pareto("latency_s.p99", "latency_s.mean")


def test_a_heat_map_leaves_out_points_whose_queue_did_not_settle() -> None:
    from edgesim.notebook.plots import StudyPlots
    from edgesim.sweep.table import Column, Table

    values = {"one": np.array([0.0, 0.0, 1.0, 1.0]), "two": np.zeros(4),
              "latency_s.p99": np.array([1.0, 900.0, 2.0, 4.0]),
              "settled": np.array([1.0, 0.0, 1.0, 1.0])}  # fmt: skip
    columns = tuple(
        Column(name=name, role="axis" if name in ("one", "two") else "result") for name in values
    )
    study = Table(name="s", size=4, columns=columns, point=np.arange(4), values=values,
                  errors=(None,) * 4)  # fmt: skip
    (picture,) = StudyPlots(study).heatmap("one", "two", "latency_s.p99").get_images()
    np.testing.assert_array_equal(picture.get_array(), [[1.0, 3.0]])


def test_cells_show_tables_and_escape_names(cluster: edgesim.Loaded, tmp_path: Path) -> None:
    text = FIVE_PIS.read_text().replace("pi:  {", '"<b>&": {')
    (tmp_path / "odd.yaml").write_text(text)
    odd = edgesim.load(tmp_path / "odd.yaml", set={"traffic.requests": 5}).run()
    shown = odd._repr_html_()
    assert "<b>" not in shown
    assert "&lt;b&gt;&amp;-0" in shown
    for one in (cluster._repr_html_(), shown):
        assert one.count("<table>") == one.count("</table>") > 0
    assert "5 × raspberry-pi-4b" in cluster._repr_html_()


def test_nothing_heavy_is_imported_before_it_is_used() -> None:
    code = (
        "import sys, edgesim; heavy = ('numpy', 'pandas', 'torch', 'jinja2'); "
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_without_pandas_it_is_told_what_to_install(
    played: edgesim.Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(EdgesimError, match=r"pip install 'edgesim\[notebook\]'"):
        _ = played.requests


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_examples_run_and_draw(script: Path, tmp_path: Path) -> None:
    if "optimize" in script.read_text():
        needs.OPTUNA.require()
    done = subprocess.run(
        [sys.executable, script, tmp_path, "150"],
        env=environment(MPLBACKEND="Agg"), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    drawn = re.findall(r'FIGURES / "([^"]+)"', script.read_text())
    assert sorted(os.listdir(tmp_path)) == sorted(drawn)
    for name in drawn:
        committed = script.parent / "figures" / name
        assert 1_000 < committed.stat().st_size < 300_000
