"""Measured look-up tables: levels, their amplitude and phase, gratings of them, and bad files."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from optics.errors import InputError
from optics.lookup import LookUpTable
from optics.modulation import reached, transmission
from optics.modulator import Modulator, ModulatorKind

TURN = 2 * math.pi


def part(table: LookUpTable, kind: ModulatorKind = "lcos-phase", **figures: object) -> Modulator:
    bits = table.levels.bit_length() - 1
    settings: dict[str, object] = {"pixels": (64, 64), "pitch_m": 8e-6, "kind": kind, "bits": bits}
    return Modulator(**settings, table=table, **figures)  # type: ignore[arg-type]


def even(levels: int, amplitude: float = 1.0) -> LookUpTable:
    return LookUpTable(tuple(TURN * k / levels for k in range(levels)), (amplitude,) * levels)


def test_a_table_of_equal_steps_is_a_part_of_that_many_bits() -> None:
    drive = torch.linspace(-7, 14, 3840, dtype=torch.float64).reshape(64, -1)
    plain = Modulator(kind="lcos-phase", pixels=(64, 64), pitch_m=8e-6, bits=4)
    found = transmission(drive, part(even(16, 0.8), crosstalk_px=0.4), samples=2)
    blurred = Modulator(kind="lcos-phase", pixels=(64, 64), pitch_m=8e-6, bits=4, crosstalk_px=0.4)
    torch.testing.assert_close(found, 0.8 * transmission(drive, blurred, samples=2))
    torch.testing.assert_close(transmission(drive, part(even(16))), transmission(drive, plain))
    amplitudes = LookUpTable((0.0,) * 4, (0.0, 1 / 3, 2 / 3, 1.0))
    drive = torch.rand(8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    four = Modulator(kind="lcos-amplitude", pixels=(64, 64), pitch_m=8e-6, bits=2)
    shown = transmission(drive, part(amplitudes, "lcos-amplitude"))
    torch.testing.assert_close(shown, transmission(drive, four))


def test_the_nearest_level_of_an_uneven_table_by_search_over_all() -> None:
    draw = torch.Generator().manual_seed(3)
    phases = 7.5 * torch.rand(32, dtype=torch.float64, generator=draw)  # beyond a turn, unsorted
    amplitudes = torch.rand(32, dtype=torch.float64, generator=draw)
    table = LookUpTable(tuple(phases.tolist()), tuple(amplitudes.tolist()))
    drive = 20 * torch.rand(16, 16, dtype=torch.float64, generator=draw) - 10
    level = (torch.exp(1j * drive)[..., None] - torch.exp(1j * phases)).abs().argmin(-1)
    torch.testing.assert_close(reached(drive, part(table)), phases[level], rtol=0, atol=0)
    light = amplitudes[level] * torch.exp(1j * phases[level])
    torch.testing.assert_close(transmission(drive, part(table)), light)
    drive = drive.abs() / 10
    level = (drive[..., None] - amplitudes).abs().argmin(-1)
    light = amplitudes[level] * torch.exp(1j * phases[level])
    torch.testing.assert_close(transmission(drive, part(table, "lcos-amplitude")), light)


@pytest.mark.parametrize("depth_rad", [0.7 * math.pi, math.pi, 1.3 * math.pi])
@pytest.mark.parametrize("ratio", [1.0, 0.6])
def test_lines_of_two_levels_have_the_orders_of_a_binary_grating(
    depth_rad: float, ratio: float
) -> None:
    # Half of a period 1, half r exp(iθ): power |1 + r e^{iθ}|²/4 in order 0, and
    # |1 - r e^{iθ}|²/π² in orders ±1 (Goodman, ch. 4).
    shown = part(LookUpTable((0.0, depth_rad), (1.0, ratio)))
    drive = torch.tensor([0.0, depth_rad], dtype=torch.float64).repeat_interleave(32)
    field = transmission(drive.expand(1, -1), shown)[0]
    amplitude = torch.fft.fft(field, norm="forward")
    other = ratio * complex(math.cos(depth_rad), math.sin(depth_rad))
    assert float(amplitude[0].abs() ** 2) == pytest.approx(abs(1 + other) ** 2 / 4, rel=1e-12)
    # A sample is a plateau 1/64 of the period wide.
    plateau = 64 / math.pi * math.sin(math.pi / 64)
    first = float(amplitude[1].abs()) * plateau
    assert first**2 == pytest.approx(abs(1 - other) ** 2 / math.pi**2, rel=1e-12)


def test_the_gradient_passes_levels_and_keeps_their_amplitude() -> None:
    drive = torch.full((2, 2), 1.5, dtype=torch.float64, requires_grad=True)
    light = transmission(drive, part(LookUpTable((0.0, 1.6), (1.0, 0.5))))
    light.imag.sum().backward()  # d/dφ 0.5 sin φ at the level
    assert drive.grad is not None
    expected = torch.full((2, 2), 0.5 * math.cos(1.6), dtype=torch.float64)
    torch.testing.assert_close(drive.grad, expected)


def test_a_file_gives_the_table(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("amplitude, level, phase_rad\n0.9,0,0.0\n 0.8,1,3.1\n")
    assert LookUpTable.read(path) == LookUpTable((0.0, 3.1), (0.9, 0.8))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("level,phase\n0,1\n", "the first line must name .*; phase_rad, amplitude not found"),
        ("", "the first line must name the columns level, phase_rad, amplitude"),
        ("level,phase_rad,amplitude\n0,0,1\n2,1,1\n", "table.csv:3: expected level 1, got 2"),
        ("level,phase_rad,amplitude\n0,x,1\n", "table.csv:2: phase_rad must be a number; got 'x'"),
        ("level,phase_rad,amplitude\n0,0\n", "table.csv:2: amplitude must be a number; got ''"),
        ("level,phase_rad,amplitude\n0,0,1\n1,1,1.2\n", "level 1: amplitude must be from 0 to 1"),
        ("level,phase_rad,amplitude\n0,0,1\n1,inf,1\n", "level 1: phase_rad must be finite"),
        ("level,phase_rad,amplitude\n0,0,1\n", "at least two levels; got 1 phases"),
        ("level,phase_rad,amplitude\n0,0,0\n1,1,0\n", "an amplitude above 0"),
    ],
)
def test_a_bad_file_is_one_message(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=told):
        LookUpTable.read(path)


def test_a_missing_file_and_a_table_of_another_part_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read as a text file"):
        LookUpTable.read(tmp_path / "none.csv")
    with pytest.raises(InputError, match="a table is of the kinds lcos-phase and lcos-amplitude"):
        Modulator(kind="dmd", pixels=(8, 8), pitch_m=1e-5, bits=1, table=even(2))
    with pytest.raises(InputError, match=r"table has 4 levels; expected 2\^bits, got bits=8"):
        Modulator(kind="lcos-phase", pixels=(8, 8), pitch_m=1e-5, bits=8, table=even(4))
