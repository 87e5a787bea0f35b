"""Every key of a scenario and of a study moves a number; a new key without a case fails here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgesim.common.errors import EdgesimError
from edgesim.serve.coordinator.work import find_targets
from edgesim.sweep import run_study
from tests import needs
from tests.edgesim.every_key import (
    crossbar_cases,
    optical_cases,
    outcome,
    processor_cases,
    recipe_cases,
    scenario_cases,
    study_cases,
)
from tests.edgesim.every_key.cases import Case
from tests.edgesim.every_key.schemas import scenario_keys, study_keys

_CLOCKS = {
    key: case
    for kind in (optical_cases, crossbar_cases)
    for key, case in kind.CASES.items()
    if key.endswith(".clock_ratio") and ".host." not in key
}
CASES: dict[str, Case] = {
    key: case
    for kind in (scenario_cases, processor_cases, optical_cases, crossbar_cases)
    for key, case in kind.CASES.items()
    if key not in _CLOCKS
}
ELSEWHERE = {
    "model.training.data.download": "tests/partition/test_data.py, without a network",
    "model.timm": "tests/edgesim/graph/test_timm.py, with timm",
    "model.exported": "tests/edgesim/graph/sources/test_exported.py",
    "model.onnx": "tests/edgesim/graph/sources/test_onnx.py",
    "model.graph": "tests/edgesim/test_own_model.py",
    "model.training.name": "names the artifact: tests/partition/test_run.py",
    "nodes.*.address": "test_an_address_is_where_a_node_is_asked",
    "study.name": "names the folder of the results: test_a_study_is_called_what_it_says",
}
"""Keys that move something else, and where that is shown."""
_WHOLE = "an execution on an accelerator takes all of its host, whatever its cores"
_PUPIL = "light is budgeted on the axis, of which a pupil takes nothing away; `optics` plays pupils"
STILL = {
    "optical-4f.host.cores": (Case(optical_cases.OPTICAL, "2"), _WHOLE),
    "photonic-crossbar.host.cores": (Case(crossbar_cases.HOSTED, "2"), _WHOLE),
    "photonic-crossbar.host.half_saturation": (
        Case(crossbar_cases.HOSTED, "4"),
        "it is of products, of which a crossbar leaves its host only those of no plain shape, and "
        "no model of the catalog has one",
    ),
    "photonic-crossbar.host.memory.capacity": (
        Case(crossbar_cases.HOSTED, "8 GB"),
        "weights and activations lie in the crossbar's own memory",
    ),
    "photonic-crossbar.host.memory.reserve": (
        Case(crossbar_cases.HOSTED, "1 GB"),
        "weights and activations lie in the crossbar's own memory",
    ),
    **{
        key: (case, "only processors were measured at another clock than their entry's")
        for key, case in _CLOCKS.items()
    },
    "optical-4f.lens_1.pupil": (
        Case(optical_cases.OPTICAL, "10 mm", outcome="optical"),
        _PUPIL,
    ),
    "optical-4f.lens_2.pupil": (
        Case(optical_cases.OPTICAL, "10 mm", outcome="optical"),
        _PUPIL,
    ),
}
"""Keys that move nothing, and why that is right; a case that moves something fails."""


def sides(key: str, case: Case) -> list[str]:
    """Return what both settings of a key come to."""
    found = []
    compare = getattr(outcome, case.outcome)
    for side, settings in zip(("old", "new"), case.settings(key)):
        if side == case.refused:
            with pytest.raises(EdgesimError) as refused:
                compare(case.base, settings)
            found.append(str(refused.value))
        else:
            found.append(json.dumps(compare(case.base, settings), sort_keys=True))
    return found


def test_every_key_has_a_case() -> None:
    known = {*CASES, *study_cases.CASES, *recipe_cases.ALL, *ELSEWHERE, *STILL}
    keys = {*scenario_keys(), *study_keys()}
    assert keys - known == set(), "keys without a case"
    assert known - keys == set(), "cases of keys that are no more"


@pytest.mark.parametrize("key", CASES)
def test_every_key_of_a_scenario_moves_a_result(key: str) -> None:
    before, after = sides(key, CASES[key])
    assert before != after, f"{key} changes nothing"


@pytest.mark.parametrize("key", STILL)
def test_known_exceptions_move_nothing(key: str) -> None:
    before, after = sides(key, STILL[key][0])
    assert before == after, f"{key} moves something: make it a case"


@pytest.mark.parametrize("key", study_cases.CASES)
def test_every_key_of_a_study_changes_its_table(key: str, tmp_path: Path) -> None:
    if "optimize" in key:
        needs.OPTUNA.require()
    tables = []
    for side, study in zip(("old", "new"), study_cases.CASES[key]):
        run_study({"name": "small", **study}, tmp_path / side)
        tables.append((tmp_path / side / "table.csv").read_text())
    assert tables[0] != tables[1], f"{key} changes nothing"


def test_a_study_is_called_what_it_says(tmp_path: Path) -> None:
    for name in ("small", "other"):
        run_study({"name": name, **study_cases.GRID}, tmp_path / name)
        assert json.loads((tmp_path / name / "study.json").read_text())["name"] == name


def test_an_address_is_where_a_node_is_asked(tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(scenario_cases.ARTIFACT)
    for address in ("here:5001", "there:5002"):
        found = find_targets(
            file,
            outcome.ROOT / "examples" / "fashion-2",
            settings=[f'nodes.n.address=["{address}", "other:1"]'],
        )
        assert found.real[0].address == address
