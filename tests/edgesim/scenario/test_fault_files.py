"""Faults in files of their own, and the copies that standby nodes hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgesim import api
from edgesim.common.errors import InputError, PlanError
from edgesim.hardware import Fault, FaultKind
from edgesim.scenario import load_text
from edgesim.scenario.dump import dump
from tests.edgesim.scenario.cases import changed, message

SECTION = changed("traffic:", "faults: {file: faults.csv}\ntraffic:")


def test_a_file_is_read_beside_its_scenario_and_kept(tmp_path: Path) -> None:
    (tmp_path / "faults.csv").write_text(
        "# a comment\nat,duration,node,link,kind,speed,loss\n"
        "5 s,1 s,hub,,slow,25 %,\n\n1,2 min,,pi-0-switch,degrade,,1 %\n"
    )
    scenario = load_text(SECTION, folder=tmp_path)
    assert scenario.cluster.faults == (
        Fault(at_s=1.0, duration_s=120.0, kind=FaultKind.DEGRADE, link="pi-0-switch", loss=0.01),
        Fault(at_s=5.0, duration_s=1.0, kind=FaultKind.SLOW, node="hub", speed=0.25),
    )
    # The resolved scenario needs the file no more.
    assert load_text(dump(scenario.document)).cluster.faults == scenario.cluster.faults


WRONG = [
    ("at,duration,nodes,kind\n1,2,hub,crash\n",
     "faults.csv:1: expected columns among at, duration, node, link, kind, speed, bandwidth, "
     "latency, loss, each once, got at,duration,nodes,kind"),
    ("at,duration,node,kind\n1,2,hub\n1,2,hub,crush\n",
     "faults.csv:2: expected 4 values, got 3"),
    ("at,duration,node,kind\n1,2,hub,crush\n",
     "faults.csv:2: kind: expected one of crash, freeze, slow, cut, degrade, got 'crush' (did you "
     "mean 'crash'?)"),
    ("at,duration,node,kind\n-1 s,2,hub,crash\n",
     "faults.csv:2: at: expected at least 0, got '-1 s'"),
    ("at,duration,node,kind\n", "faults.csv: expected faults, got only column names"),
    ("at,duration,node,kind\n1,2,\"hub,crash\n", "faults.csv:2: expected 4 values, got 3"),
    ("\0", "faults.csv"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "told"), WRONG)
def test_wrong_files(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "faults.csv").write_text(text)
    with pytest.raises(InputError) as caught:
        load_text(SECTION, "c.yaml", folder=tmp_path)
    assert told in str(caught.value)
    assert "c.yaml:9:" in str(caught.value)


def test_a_missing_file() -> None:
    assert message(SECTION).startswith("c.yaml:9:")
    assert "faults.csv does not exist" in message(SECTION)


def test_standby_nodes_run_nothing_of_their_own() -> None:
    spare = changed("  hub:", "  spare: {device: raspberry-pi-4b}\n  hub:")
    spare = spare.replace("single", "replicate").replace(
        "traffic:", "recovery: {standby: [spare]}\ntraffic:"
    )
    plan = api.place(load_text(spare))
    nodes = {task.node for branch in plan.branches for task in branch.tasks}
    assert nodes == {"pi-0", "pi-1"}


def test_copies_have_to_fit() -> None:
    device = "{peak: {fp32: 1 GFLOP/s}, memory: {capacity: 1 MB}}"
    text = changed("  hub:", f"  spare: {{device: {device}}}\n  hub:")
    text = text.replace("traffic:", "recovery: {standby: [spare]}\ntraffic:")
    with pytest.raises(PlanError, match=r"node 'spare'.*lacks"):
        api.place(load_text(text))
    other = text.replace("fp32: 1 GFLOP/s}", "int8: 1 GFLOP/s}")
    with pytest.raises(PlanError, match=r"'spare'.*does not compute in fp32"):
        api.place(load_text(other))
