"""Sizes that are formulas: computed as sympy does, and no text is evaluated."""

from __future__ import annotations

import pytest
import sympy

from edgesim.common.errors import InputError
from edgesim.graph.sources.sizes import Sizes

BATCH = "Symbol('s0', positive=True, integer=True)"


def sizes(**values: int) -> Sizes:
    made = Sizes("net.pt2", {"s0": {"min_val": 2, "max_val": 64}})
    for name, value in values.items():
        made.bind({"as_expr": {"expr_str": name}}, value, "x")
    return made


@pytest.mark.parametrize(
    "text",
    [
        BATCH,
        f"Mul(Integer(49), {BATCH})",
        f"Add(Mul(Integer(3), {BATCH}), Integer(-4))",
        f"Pow({BATCH}, Integer(2))",
        f"Mod(Mul(Integer(5), {BATCH}), Integer(7))",
        f"Max(Integer(3), {BATCH})",
        "3*s0 + 4",
        "2*s0**2 - s0",
        "-s0 + 100",
    ],
)
def test_formulas_as_sympy_computes_them(text: str) -> None:
    expected = sympy.sympify(text).subs("s0", 9)
    if BATCH in text:
        expected = sympy.sympify(text).subs(sympy.Symbol("s0", positive=True, integer=True), 9)
    assert sizes(s0=9).value({"as_expr": {"expr_str": text}}) == int(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("FloorDiv(s0, 4)", 2), ("CeilDiv(s0, 4)", 3), ("ModularIndexing(s0, 2, 3)", 1), ("s0//4", 2)],
)
def test_formulas_of_torch(text: str, expected: int) -> None:
    assert sizes(s0=9).value({"as_expr": {"expr_str": text}}) == expected


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('touch /tmp/edgesim-was-here')",
        "(lambda: 3)()",
        "[3 for _ in s0][0]",
        "s0.real",
        "Pow(s0, Integer(1000000))",
        "9**9**9",
        "Mul(s0, s0, s0, s0, s0, s0, s0, s0, s0, s0, s0, s0, s0, s0, s0, s0, s0, s0, s0, s0, s0)",
        "1 +",
        "(" * 5000,
        "s0 + " * 4000 + "1",
        "s0/2",
        "0.5",
        "'a'",
    ],
)
def test_what_is_no_size_is_not_evaluated(text: str) -> None:
    with pytest.raises((ValueError, InputError, KeyError, RecursionError)):
        sizes(s0=9).value({"as_expr": {"expr_str": text}})


def test_bounds_and_sizes_that_depend_on_the_data() -> None:
    with pytest.raises(InputError, match="a size of 'x' is 2 to 64, got 65"):
        sizes(s0=65)
    with pytest.raises(InputError, match="u0 depends on the data"):
        sizes(s0=4).value({"as_expr": {"expr_str": "u0"}})


def test_a_batch_is_one_or_the_least_that_the_program_takes() -> None:
    made = sizes()
    made.bind({"as_expr": {"expr_str": "s0"}}, 1, "batch")
    assert made.value({"as_expr": {"expr_str": "s0"}}) == 2
