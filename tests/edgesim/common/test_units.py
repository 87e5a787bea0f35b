"""Quantities against the SI brochure and IEC 80000-13, and whatever else users may type."""

from __future__ import annotations

import contextlib
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgesim.common import units

# Factors from the SI brochure (9th edition, tables 7 and 8) and IEC 80000-13 (binary prefixes).
KNOWN = {
    "time": {"1 s": 1, "0.25 ms": 0.25e-3, "20 us": 20e-6, "20 µs": 20e-6, "20 μs": 20e-6,
             "3 ns": 3e-9, "2 min": 120, "1 h": 3600, "1 d": 86400, "1.5": 1.5, "+2s": 2},
    "bytes": {"1 B": 1, "4 GiB": 4 * 1024**3, "4 GB": 4e9, "10 MB": 1e7, "1 kB": 1000,
              "1 KiB": 1024, "8 bit": 1, "1 Mbit": 125000, "3 bytes": 3, "1e3": 1000},
    "bandwidth": {"1 Gbit/s": 125e6, "1 Gbps": 125e6, "2.5 GB/s": 2.5e9, "1 GiB/s": 1024**3,
                  "40 Mbit/s": 5e6, "1 Gb/s": 125e6, "8 kb/s": 1000, "3 MBps": 3e6, "8 Mbps": 1e6,
                  "1 MiBps": 1024**2, "8 b/s": 1},
    "power": {"6.2 W": 6.2, "350 mW": 0.35, "1.2 kW": 1200},
    "energy": {"3 J": 3, "5 nJ": 5e-9, "1 Wh": 3600, "1 kWh": 3.6e6},
    "energy_per_byte": {"5 nJ/bit": 40e-9, "5 nJ/B": 5e-9, "60 nJ/byte": 60e-9},
    "time_per_byte": {"8 ns/B": 8e-9},
    "flop": {"2 GFLOP": 2e9, "20 MFLOP": 2e7, "1 GMAC": 2e9, "3 TOP": 3e12, "4.1 GMACs": 8.2e9,
             "2 GFLOPs": 2e9},
    "flop_rate": {"48 GFLOP/s": 48e9, "48 GFLOPS": 48e9, "1 TMAC/s": 2e12, "100 TOPS": 1e14,
                  "1 GFLOPs/s": 1e9, "1 GMACs/s": 2e9},
    "rate": {"0.5/s": 0.5, "1/s": 1, "30/min": 0.5, "2 Hz": 2, "1 kHz": 1000, "1/ms": 1000,
             "30 fps": 30, "5 qps": 5},
    "pixel_rate": {"30 Mpixel/s": 3e7, "2 kpx/s": 2e3, "5 pixels/s": 5},
    "length": {"532 nm": 532e-9, "8 um": 8e-6, "5 cm": 0.05, "2 mm": 2e-3},
    "area": {"2 m^2": 2.0, "0.015 mm^2": 1.5e-8, "410 um2": 4.1e-10, "3 cm²": 3e-4},
    "ratio": {"50 %": 0.5, "0.5": 0.5, "3 dB": 10**0.3, "-10 dB": 0.1, "0 dB": 1},
    "temperature": {"300 K": 300},
    "celsius": {"25 °C": 25, "-10 C": -10, "85 degC": 85},
    "thermal_resistance": {"12 K/W": 12, "8.5 °C/W": 8.5},
}  # fmt: skip


@pytest.mark.parametrize(
    ("dimension", "text", "value"),
    [(name, text, value) for name, known in KNOWN.items() for text, value in known.items()],
)
def test_known_quantities(dimension: str, text: str, value: float) -> None:
    assert units.parse(text, dimension) == pytest.approx(value, rel=1e-15)


def test_every_dimension_is_tried_and_has_an_example() -> None:
    assert set(KNOWN) == set(units.DIMENSIONS) == set(units.EXAMPLES)
    for dimension, example in units.EXAMPLES.items():
        assert units.parse(example, dimension) > 0.0


JUNK = [
    "", " ", "s", "fast", "1.2.3 s", "1,000 s", "0x10 s", "1/2 s", "--1 s", "1 s s", "nan", "nan s",
    "inf", "inf s", "5e s", "1__0 s", "_1 s", "1_ s", "٥ s", "1 S", "1 MS", "½ s", "1e999 s",
    "1e308 h", "9" * 400, "1 s\n2 s", "\0",
]  # fmt: skip


@pytest.mark.parametrize("text", JUNK, ids=repr)
def test_junk_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"0\.25 ms") as caught:
        units.parse(text, "time")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("value", [None, True, False, [1], (1,), {}, {"a": 1}, b"1 s", 1j])
def test_other_types_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="expected a number or a string such as"):
        units.parse(value, "time")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_must_be_finite(value: float) -> None:
    with pytest.raises(ValueError, match="expected a finite quantity"):
        units.parse(value, "time")


def test_numbers_too_large_for_a_double() -> None:
    with pytest.raises(ValueError, match="too large"):
        units.parse(10**400, "bytes")


@pytest.mark.parametrize(
    ("text", "dimension", "owner"),
    [("1 ms", "rate", "time"), ("1 GB", "bandwidth", "bytes"), ("1 W", "energy", "power"),
     ("10 GFLOP", "flop_rate", "flop"), ("1 GB/s", "flop_rate", "bandwidth")],
)  # fmt: skip
def test_units_of_another_dimension_are_named(text: str, dimension: str, owner: str) -> None:
    with pytest.raises(ValueError, match=f"is a unit of {owner}"):
        units.parse(text, dimension)


def test_a_bare_bandwidth_is_suggested_as_a_plain_number() -> None:
    with pytest.raises(ValueError, match="write '1000000000 bit/s'"):
        units.parse(1e9, "bandwidth")


@pytest.mark.parametrize("bare", [125e6, 1000, "1000", " 1e6 ", 0])
def test_a_bare_bandwidth_is_refused_with_both_readings(bare: object) -> None:
    with pytest.raises(ValueError, match=r"expected a unit, got .* bit/s', or '.* B/s', 8 ti"):
        units.parse(bare, "bandwidth")


@pytest.mark.parametrize(
    ("text", "dimension", "readings"),
    [
        # Bits or bytes, milli or mega: either may be meant.
        ("100 mbps", "bandwidth", "did you mean 'MBps' or 'Mbps'?"),
        ("100 mb/s", "bandwidth", "did you mean 'MB/s' or 'Mb/s'?"),
        ("10 Mb", "bytes", "did you mean 'MB' or 'Mbit'?"),
        ("10 mw", "power", "did you mean 'mW' or 'MW'?"),
        ("1 gbit/s", "bandwidth", "did you mean 'Gbit/s'?"),
        # A count is no rate.
        ("48 GFLOPs", "flop_rate", "did you mean 'GFLOPS'?"),
        ("4 GFLOPS", "flop", "did you mean 'GFLOPs'?"),
    ],
)
def test_what_may_mean_two_things_is_refused_with_both(
    text: str, dimension: str, readings: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(readings)):
        units.parse(text, dimension)


def test_case_counts() -> None:
    assert units.parse("1 mW", "power") == 1e-3
    assert units.parse("1 MW", "power") == 1e6
    with pytest.raises(ValueError, match="'gib' is no unit of bytes"):
        units.parse("4 gib", "bytes")


ALL_UNITS = [(name, unit) for name, known in units.DIMENSIONS.items() for unit in known]


@given(
    choice=st.sampled_from(ALL_UNITS),
    number=st.floats(min_value=-1e200, max_value=1e200, allow_subnormal=False),
    spaces=st.sampled_from(["", " ", "   "]),
)
def test_number_and_unit_round_trip(choice: tuple[str, str], number: float, spaces: str) -> None:
    dimension, unit = choice
    if unit.startswith("1"):
        spaces = " "  # 0.51/s is another number than 0.5 1/s
    value = units.parse(f"{spaces}{number!r}{spaces}{unit}{spaces}", dimension)
    assert value == number * units.DIMENSIONS[dimension][unit]
    # And back: written in the base unit, it is read as the same number, bit by bit.
    base = " B/s" if dimension == "bandwidth" else ""
    assert units.parse(f"{value!r}{base}", dimension) == value
    assert base or units.parse(value, dimension) == value


@given(text=st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    for dimension in units.DIMENSIONS:
        with contextlib.suppress(ValueError):
            assert math.isfinite(units.parse(text, dimension))
