"""Devices in files of their own: where a scenario names one, and what is wrong in one."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgesim.common.errors import InputError
from edgesim.hardware.processor import Processor
from edgesim.scenario import from_mapping, load_text
from edgesim.scenario.named_files import find_device
from tests.edgesim.scenario.cases import BASE, changed

HERE = """\
# measured here
kind: processor
peak: {fp32: 3 GFLOP/s}
spread: [0.9, 1.0, 1.3]
power: {idle: 1 W, busy: 3 W}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "devices").mkdir()
    (tmp_path / "devices" / "here.yaml").write_text(HERE)
    return tmp_path


def message(text: str, folder: Path) -> str:
    with pytest.raises(InputError) as told:
        load_text(text, "c.yaml", folder=folder)
    return str(told.value).replace(str(folder), "FOLDER")


def test_nodes_and_baselines_may_be_of_a_file(folder: Path) -> None:
    text = changed("device: raspberry-pi-5", "device: devices/here.yaml, variability: measured")
    text += "baselines: [devices/here.yaml, {device: ./devices/here.yaml, name: again}]\n"
    found = load_text(text, folder=folder)
    device = found.cluster.nodes["hub"].device
    assert isinstance(device, Processor)
    assert device.peak_flop_s == {"fp32": 3e9}
    assert device.spread == (0.9, 1.0, 1.3)
    assert [one.name for one in found.baselines] == ["here", "again"]
    # The resolved scenario holds the device itself: it runs again anywhere, to the same numbers.
    again = from_mapping(found.document)
    assert again.cluster.nodes["hub"].device.power == device.power
    assert again.document == found.document


def test_a_device_of_a_file_bears_its_name(folder: Path) -> None:
    assert find_device(str(folder / "devices" / "here.yaml")).name == "here"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("peak: {fp32: 3 GFLOP}\n",
         "FOLDER/d.yaml:1:14: peak.fp32: 'GFLOP' is no unit of flop rate; write for example"),
        ("kind: prozessor\n",
         "FOLDER/d.yaml:1:7: kind: expected one of optical-4f, photonic-crossbar, processor, got "
         "'prozessor' (did you mean 'processor'?)"),
        ("peak: {fp32: 1}\npowr: {idle: 1 W}\n",
         "FOLDER/d.yaml:2:1: powr: unknown key 'powr' (did you mean 'power'?)"),
        ("peak: {fp32: 1}\nspread: [1.0, 0.5]\n", "FOLDER/d.yaml:2:9: spread: expected two or "),
        ("[1, 2]\n", "FOLDER/d.yaml:1:1: expected a device such as {peak: {fp32: 48 GFLOP/s}}, "),
        ("peak: {fp32: 1\n", "FOLDER/d.yaml:2:1: "),
        ("\n", "FOLDER/d.yaml is empty; expected a device"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_where_it_stands(content: str, told: str, folder: Path) -> None:
    (folder / "d.yaml").write_text(content)
    text = message(changed("device: raspberry-pi-5", "device: d.yaml"), folder)
    assert text.startswith("c.yaml:6:17: nodes.hub.device: ")
    assert told in text
    assert len(text.splitlines()) == 1


def test_a_file_that_is_not_there_names_the_nearest(folder: Path) -> None:
    text = message(changed("device: raspberry-pi-5", "device: devices/hare.yaml"), folder)
    assert "FOLDER/devices/hare.yaml does not exist (did you mean 'here.yaml'?)" in text


def test_a_large_file_is_not_read(folder: Path) -> None:
    (folder / "d.yaml").write_text("#" * 1_000_001)
    text = message(changed("device: raspberry-pi-5", "device: d.yaml"), folder)
    assert "expected a device of at most 1,000,000 bytes, got 1,000,001" in text


def test_a_name_of_the_catalog_is_no_file() -> None:
    assert load_text(BASE).cluster.nodes["hub"].device.name == "raspberry-pi-5"
