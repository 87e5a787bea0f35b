"""Optics beside GPUs: crossings by hand, times as `edgesim run` has them, and refusals."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from edgesim import api
from edgesim.common.errors import InputError
from edgesim.graph import zoo
from edgesim.hardware import catalog
from edgesim.scenario import load_text
from tests import needs
from tests.edgesim.command import ROOT, environment

FOLDER = ROOT / "examples" / "optics-beside-gpus"
CARD = "nvidia-rtx-4090"


@pytest.fixture(scope="module")
def study() -> Iterator[SimpleNamespace]:
    """Return the study's modules."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        import accelerators
        import claim
        import compare
        import costs
        import crossings
        import tables
        import what_ifs
        import written

        yield SimpleNamespace(
            accelerators=accelerators, claim=claim, compare=compare, costs=costs,
            crossings=crossings, tables=tables, what_ifs=what_ifs, written=written,
        )  # fmt: skip


def test_a_crossing_by_hand(study: SimpleNamespace) -> None:
    """As printed, 712 us for one image of ConvShareViT with *same* kernels, in inverse proportion.

    One pair of channels takes two exposures of 1 us: 3 x 64 of the patches, 3 + 1 + 2 + 2 in each
    of eight blocks, and 100 of the head, 356 in all.
    """
    graph = study.costs.model("convsharevit_same_72")
    printed = study.accelerators.PRINTED
    time_s = study.crossings.by_rate(printed, graph, 1, 2160)
    assert time_s(1e6) == pytest.approx(712e-6, rel=1e-9)
    card_s = study.costs.per_image_s(catalog.device(CARD), graph, 1)
    rate_hz = study.crossings.crossing(time_s, card_s, 1.0, 1e10)
    assert rate_hz == pytest.approx(712 / card_s, rel=2e-6)
    # At the rate for the claim the ratio is the claim.
    claimed_hz, plane = study.claim.rate_for_claim_hz(printed, CARD, "convsharevit_same_72", 1)
    assert plane == 2160
    assert claimed_hz == pytest.approx(3.04 * 712 / card_s, rel=2e-6)


@pytest.mark.parametrize(
    ("target_s", "expected"),
    [(2.0, 1.0), (0.5, math.inf), (1.25, 40.0), (1.01, 1000.0), (1.1, 100.0)],
)
def test_crossings_of_a_time_that_has_a_floor(
    study: SimpleNamespace, target_s: float, expected: float
) -> None:
    # 1 s that no rate saves, and 10 s at 1 Hz; between 10 Hz and 10 kHz.
    found = study.crossings.crossing(lambda rate_hz: 1.0 + 10.0 / rate_hz, target_s, 10.0, 1e4)
    least = max(expected, 10.0)
    assert found == (math.inf if math.isinf(expected) else pytest.approx(least, rel=1e-6))


def test_a_crossing_needs_a_time(study: SimpleNamespace) -> None:
    with pytest.raises(ValueError, match="expected a target above 0 s, got 0"):
        study.crossings.crossing(lambda rate_hz: 1.0 / rate_hz, 0.0, 1.0, 10.0)


@pytest.mark.parametrize("batch", [1, 64])
@pytest.mark.parametrize("index", range(7))
def test_times_are_those_of_a_run(study: SimpleNamespace, index: int, batch: int) -> None:
    step = study.accelerators.LADDER[index]
    name = "convsharevit_same_72"
    device = step.device()
    precision = study.costs.precision_of(device)
    scenario = {
        "model": {"name": name, "precision": precision},
        "placement": {"strategy": "single"},
        "nodes": {"light": {"device": step.written()}},
        "traffic": {"arrivals": "closed", "samples": batch, "requests": 2},
        "baselines": [{"device": CARD, "precision": "fp16"}],
    }
    summary = api.run(load_text(yaml.safe_dump(scenario))).summary
    graph = study.costs.model(name)
    light_s = study.costs.per_image_s(device, graph, batch)
    assert summary["latency_s"]["mean"] / batch == pytest.approx(light_s, rel=1e-9)
    ratio = study.costs.per_image_s(catalog.device(CARD), graph, batch) / light_s
    assert summary["baselines"][CARD]["speedup"] == pytest.approx(ratio, rel=1e-9)
    joules = math.fsum(study.costs.per_image_j(device, graph, batch).values())
    assert summary["energy_j"]["per_request"] / batch == pytest.approx(joules, rel=1e-9)
    lines = study.tables.ladder(name).splitlines()
    row = next(line for line in lines if line.startswith(f"| {step.name} |"))
    column = {1: 2, 64: 4}[batch]
    assert row.split("|")[column].strip() == study.written.si(light_s, "s")


def test_the_grid_is_what_devices_say(study: SimpleNamespace) -> None:
    grids = study.what_ifs
    grid = grids.fill("resnet18_cifar", planes=(32, 1080), rates_hz=(1e4, 1e6), batches=(1, 4))
    assert grid.settings == 16
    # Images of 32 x 32 with their guard band are larger than a plane of 32.
    assert all(math.isinf(one) for one in grid.light_s[:, 0].flat)
    device = grids.SYSTEMS[1].device(1080, 1e6)
    precision = study.costs.precision_of(device)
    cost = device.graph_cost(zoo.build("resnet18_cifar"), precision, 4)
    assert grid.light_s[1, 1, 1, 1] == pytest.approx(cost.time_s / 4, rel=1e-12)
    assert (grid.beaten >= 0).all()
    assert (grid.beaten[:, 1, 1] >= grid.beaten[:, 1, 0]).all()


def test_a_batch_that_a_memory_lacks_is_no_win_for_light(study: SimpleNamespace) -> None:
    graph = study.costs.model("vit_base_patch16_224")
    card = catalog.device("nvidia-t4")
    assert math.isinf(study.costs.per_image_s(card, graph, 100_000))
    grid = study.what_ifs.Grid(
        model="", light_s=study.what_ifs.np.full((1, 1, 1, 2), 2.0),
        gpu_s=study.what_ifs.np.array([[1.0, math.inf]]), wall_s=0.0, processor_s=0.0,
    )  # fmt: skip
    assert grid.beaten.tolist() == [[[[0, 0]]]]


@pytest.mark.parametrize(
    ("plane", "rate_hz", "message"), [(0, 1e6, "plane"), (2160, 0.0, "frame_rate")]
)
def test_planes_and_rates_of_nothing(
    study: SimpleNamespace, plane: int, rate_hz: float, message: str
) -> None:
    with pytest.raises(InputError, match=f"device 'light alone': .*{message}"):
        study.accelerators.LIGHT.device(plane, rate_hz)


def test_the_command_tells_its_time_and_refuses_models_that_are_none(
    study: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert study.compare.main(["--grid", "convsharevit"]) == 2
    assert "did you mean 'convsharevit_72'" in capsys.readouterr().err


def test_a_grid_loads_no_torch() -> None:
    code = (
        "import sys; import what_ifs; what_ifs.fill('convsharevit_72', planes=(540,), "
        "rates_hz=(1e6,), batches=(1,)); sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=FOLDER, env=environment(FOLDER),
        check=False,
    )  # fmt: skip
    assert done.returncode == 0


@needs.MATPLOTLIB.mark
def test_the_map_is_drawn(study: SimpleNamespace, tmp_path: Path) -> None:
    import pictures

    sizes = (study.what_ifs.PLANES, study.what_ifs.RATES_HZ, study.what_ifs.BATCHES)
    shape = (len(study.what_ifs.SYSTEMS), *map(len, sizes))
    made_up = study.what_ifs.Grid(
        model="made up", light_s=study.what_ifs.np.ones(shape),
        gpu_s=study.what_ifs.np.full((13, shape[-1]), 2.0), wall_s=0.0, processor_s=0.0,
    )  # fmt: skip
    pictures.draw_map([made_up], tmp_path / "map.png")
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
    assert [one.name for one in tmp_path.iterdir()] == ["map.png"]


def test_the_page_kept_has_the_ladder_of_now(study: SimpleNamespace) -> None:
    page = (ROOT / "examples" / "results" / "optics-beside-gpus.md").read_text()
    assert study.tables.ladder("convsharevit_72") in page
