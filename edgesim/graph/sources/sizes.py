"""Sizes of an exported program that are written as formulas, computed without evaluating text."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from edgesim.common.errors import InputError

_LARGEST = 1 << 62
_LONGEST = 10_000
_FUNCTIONS: Mapping[str, Callable[..., int]] = {
    "Add": lambda *numbers: sum(numbers),
    "Mul": lambda *numbers: math.prod(numbers),
    "Integer": lambda number: number,
    "FloorDiv": operator.floordiv,
    "CleanDiv": operator.floordiv,
    "CeilDiv": lambda above, below: -(-above // below),
    "Mod": operator.mod,
    "PythonMod": operator.mod,
    "ModularIndexing": lambda base, divisor, modulus: base // divisor % modulus,
    "Max": max,
    "Min": min,
    "Identity": lambda number: number,
}
_OPERATORS: Mapping[type, Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


class Sizes:
    """Values of the symbols in a program's sizes.

    Args:
        title: what messages call the program.
        ranges: smallest and largest value of each symbol.
    """

    def __init__(self, title: str, ranges: Mapping[str, Mapping[str, Any]]) -> None:
        self._title = title
        self._ranges = ranges
        self._values: dict[str, int] = {}

    def bind(self, size: Mapping[str, Any], value: int, what: str) -> None:
        """Give a size that is a symbol, and nothing more, a value; at least the smallest it takes.

        Raises:
            InputError: it does not take the value.
        """
        symbol = self._symbol(size)
        if symbol is None or symbol in self._values:
            return
        bounds = self._ranges.get(symbol, {})
        least, most = bounds.get("min_val"), bounds.get("max_val")
        if what == "batch":
            value = max(value, least or 0)
        if (least is not None and value < least) or (most is not None and value > most):
            raise InputError(
                f"{self._title}: a size of '{what}' is {least or 0} to {most or 'any'}, got {value}"
            )
        self._values[symbol] = value

    def is_known(self, size: Mapping[str, Any]) -> bool:
        """Return whether a size is a number, or a formula of symbols that have values."""
        return "as_int" in size or all(name in self._values for name in self._names(size))

    def value(self, size: Mapping[str, Any]) -> int:
        """Return a size.

        Raises:
            InputError: it depends on the data.
        """
        if "as_int" in size:
            return int(size["as_int"])
        text = size["as_expr"]["expr_str"]
        missing = [name for name in self._names(size) if name not in self._values]
        if missing:
            raise InputError(
                f"{self._title}: the size {text[:60]} depends on the data; only fixed sizes can be "
                "counted"
            )
        return self._compute(_parsed(text))

    def _symbol(self, size: Mapping[str, Any]) -> str | None:
        if "as_expr" not in size:
            return None
        tree = _parsed(size["as_expr"]["expr_str"])
        return _symbol_of(tree)

    def _names(self, size: Mapping[str, Any]) -> list[str]:
        tree = _parsed(size["as_expr"]["expr_str"])
        return [name for part in ast.walk(tree) if (name := _symbol_of(part)) is not None]

    def _compute(self, part: ast.AST) -> int:
        symbol = _symbol_of(part)
        if symbol is not None:
            return self._values[symbol]
        found: int | None = None
        match part:
            case ast.Constant(value=int(number)):
                found = number
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                found = -self._compute(inner)
            case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=int(power))):
                found = self._power(self._compute(left), power)
            case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATORS:
                found = _OPERATORS[type(sign)](self._compute(left), self._compute(right))
            case ast.Call(func=ast.Name(id="Pow"), args=[base, power]):
                found = self._power(self._compute(base), self._compute(power))
            case ast.Call(func=ast.Name(id=name), args=given) if name in _FUNCTIONS:
                found = _FUNCTIONS[name](*map(self._compute, given))
        if found is None or abs(found) > _LARGEST:
            raise ValueError(f"{ast.unparse(part)[:60]} is no size")
        return found

    def _power(self, base: int, power: int) -> int:
        if not 0 <= power <= 8:
            raise ValueError(f"a power of {power} is no size")
        return int(base**power)


def _symbol_of(part: ast.AST) -> str | None:
    """Return the name of a symbol: ``s0``, or ``Symbol('s0', positive=True)``."""
    match part:
        case ast.Call(func=ast.Name(id="Symbol"), args=[ast.Constant(value=str(name))]):
            return name
        case ast.Name(id=name) if name not in _FUNCTIONS and name not in ("Symbol", "Pow"):
            return name
    return None


def _parsed(text: str) -> ast.expr:
    if len(text) > _LONGEST:
        raise ValueError("a size of too many letters")
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, MemoryError):
        raise ValueError(f"{text[:60]!r} is no size") from None
