"""Draw from the files of a made-up system: microjoules that wrap, microwatts, volts and amperes."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgesim.calibrate.profile.options import parse_power
from edgesim.calibrate.profile.power import between, find_meter, reading


def put(folder: Path, **files: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        (folder / name).write_text(f"{value}\n")
    return folder


def test_a_counter_begins_anew() -> None:
    assert between(100, 250, 1000) == 150
    assert between(900, 50, 1000) == 150


def test_rapl_counts_every_package_once(tmp_path: Path) -> None:
    top = tmp_path / "class/powercap"
    one = put(top / "intel-rapl:0", energy_uj=5_000_000, max_energy_range_uj=6_000_000)
    other = put(top / "intel-rapl:1", energy_uj=0, max_energy_range_uj=6_000_000)
    part = put(top / "intel-rapl:0:0", energy_uj=0, max_energy_range_uj=6_000_000)
    meter = find_meter(system=tmp_path)
    assert meter is not None
    assert "2 package" in meter.name
    times = iter((10.0, 12.0))
    with reading(meter, clock=lambda: next(times)) as found:
        # 3 J beyond the end of the first, 5 J of the second, and a part of the first.
        (one / "energy_uj").write_text("2000000\n")
        (other / "energy_uj").write_text("5000000\n")
        (part / "energy_uj").write_text("1000000\n")
    assert found.mean_w == pytest.approx((3.0 + 5.0) / 2.0)


def test_a_sensor_tells_microwatts(tmp_path: Path) -> None:
    put(tmp_path / "class/hwmon/hwmon0", name="cpu_thermal", temp1_input=45_000)
    put(tmp_path / "class/hwmon/hwmon1", name="ina219", power1_input=2_700_000)
    meter = find_meter(system=tmp_path)
    assert meter is not None
    assert "ina219" in meter.name
    with reading(meter) as found:
        pass
    assert found.mean_w == pytest.approx(2.7)


def test_a_sensor_of_three_rails_tells_volts_and_amperes(tmp_path: Path) -> None:
    put(
        tmp_path / "class/hwmon/hwmon3", name="ina3221", in1_input=5_000, curr1_input=800,
        in2_input=19_000, curr2_input=100, in3_input=5_000,
    )  # fmt: skip
    meter = find_meter(system=tmp_path)
    assert meter is not None
    with reading(meter) as found:
        pass
    assert found.mean_w == pytest.approx(5.0 * 0.8 + 19.0 * 0.1)


def test_nothing_that_tells(tmp_path: Path) -> None:
    assert find_meter(system=tmp_path) is None


def test_power_given_by_hand() -> None:
    assert parse_power("idle=2.7W,busy=6.4W") == (2.7, 6.4)
    assert parse_power("busy = 6400 mW, idle=0 W") == (0.0, 6.4)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2.7",
        "idle=2.7W",
        "idle=2W,idle=3W",
        "idle=7W,busy=2W",
        "idle=-1W,busy=2W",
        "idle=x,busy=1W",
    ],
)
def test_wrong_power_given_by_hand(text: str) -> None:
    with pytest.raises(ValueError, match=r"got|expected"):
        parse_power(text)
