"""A system of one's own parts from a YAML file: what it holds, what a preset adds, bad files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from optics.crosstalk import CrosstalkKernel
from optics.errors import InputError
from optics.presets import PRESETS, preset, read_system
from optics.system import FourF

WHOLE = """\
laser: {wavelength_m: 633e-9, power_w: 0.01}
input: {kind: lcos-amplitude, pixels: [512, 512], pitch_m: 15e-6, bits: 8}
lens_1: {focal_length_m: 0.2}
filter: {kind: lcos-phase, pixels: [512, 512], pitch_m: 15e-6, bits: 8}
lens_2: {focal_length_m: 0.2, zernike_waves: [0, 0, 0, 0.1], pupil_m: 0.05}
camera: {pixels: [1024, 1024], pitch_m: 7.5e-6, exposure_s: 1e-3}
alignment: {shift_m: [2e-6, 0]}
link_bytes_s: 4e8
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "bench.yaml"
    path.write_text(text)
    return path


def test_every_part_of_a_file(tmp_path: Path) -> None:
    system = read_system(written(tmp_path, WHOLE))
    assert system.name == "bench"
    assert system.laser.wavelength_m == 633e-9
    assert system.input.pixels == (512, 512)
    assert system.filter.name == "filter"
    assert system.lens_2.zernike_waves == (0, 0, 0, 0.1)
    assert system.camera.exposure_s == 1e-3
    assert system.alignment.shift_m == (2e-6, 0)
    assert system.link_bytes_s == 4e8


def test_a_preset_gives_what_is_left_out(tmp_path: Path) -> None:
    text = "preset: dmd-dlp7000\ncamera: {read_noise_e: 4, pixels: [512, 512]}\nname: cooled\n"
    system, start = read_system(written(tmp_path, text)), preset("dmd-dlp7000")
    wanted = replace(
        start, name="cooled", camera=replace(start.camera, read_noise_e=4, pixels=(512, 512))
    )
    assert system == wanted
    # The preset's source is of the preset's figure.
    assert "read_noise_e" in start.camera.source
    assert "read_noise_e" not in system.camera.source
    assert system.camera.source["bits"] == start.camera.source["bits"]


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_such_files(name: str) -> None:
    import optics.presets

    folder = Path(optics.presets.__file__).with_name("systems")
    assert read_system(folder / f"{name}.yaml") == preset(name)


def test_measured_figures_are_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "levels.csv").write_text("level,phase_rad,amplitude\n0,0,0.9\n1,3,0.8\n")
    (tmp_path / "spread.csv").write_text("0.1, 0.8, 0.1\n")
    text = (
        "preset: lcos-pluto\n"
        "filter: {bits: 1, table: levels.csv, crosstalk_px: 0, crosstalk_kernel: spread.csv}\n"
    )
    system = read_system(written(tmp_path, text))
    assert system.filter.table is not None
    assert system.filter.table.phase_rad == (0, 3)
    assert system.filter.crosstalk_kernel == CrosstalkKernel(((0.1, 0.8, 0.1),))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("laser:", "lazer:", r"bench.yaml: unknown key 'lazer' \(did you mean 'laser'\?\)"),
        ("pitch_m: 7.5e-6", "pich_m: 7.5e-6", "camera: unknown key 'pich_m' .*'pitch_m'"),
        ("focal_length_m: 0.2}", "}", "lens_1: expected focal_length_m; name a preset"),
        ("bits: 8}\nlens_1", "bits: x}\nlens_1", "bits must be a whole number from 1 to 16"),
        ("exposure_s: 1e-3", "exposure_s: soon", "exposure_s must be a number; got 'soon'"),
        ("link_bytes_s: 4e8", "link_bytes_s: 0", "link_bytes_s must be above 0"),
        ("{shift_m: [2e-6, 0]}", "3", "alignment: expected a mapping of figures; got 3"),
        ("link_bytes_s: 4e8", "preset: mirrors", "no system is called 'mirrors'; there are"),
        ("laser: {", "laser: {{", "is no YAML"),
    ],
)
def test_what_is_wrong_is_told_with_the_file(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in WHOLE
    with pytest.raises(InputError, match=told):
        read_system(written(tmp_path, WHOLE.replace(old, new, 1)))


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = WHOLE.replace("pitch_m: 7.5e-6", "pitch_m: -1").replace("power_w: 0.01", "power_w: 0")
    with pytest.raises(InputError) as told:
        read_system(written(tmp_path, text))
    lines = str(told.value).splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"{tmp_path / 'bench.yaml'}: ") for line in lines)


@pytest.mark.parametrize("text", ["", "[1]\n", "just words\n"])
def test_no_system_at_all(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="expected a section for each part"):
        read_system(written(tmp_path, text))
    with pytest.raises(InputError, match="cannot be read"):
        read_system(tmp_path / "none.yaml")


def test_a_preset_alone_is_the_preset_by_another_name(tmp_path: Path) -> None:
    system = read_system(written(tmp_path, "preset: fatnet-2160\n"))
    assert isinstance(system, FourF)
    assert replace(system, name="fatnet-2160") == preset("fatnet-2160")
