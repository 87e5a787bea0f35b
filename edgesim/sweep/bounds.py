"""What a result is held to: ``< 2 s``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SIGNS: dict[str, Callable[..., NDArray[np.bool_]]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_TEXT = re.compile(r"\s*(<=|>=|<|>)\s*(\S+)\s*")


@dataclass(frozen=True, slots=True)
class Bound:
    """A sign and a number in the unit of the result."""

    sign: str
    limit: float

    @staticmethod
    def parse(text: str) -> Bound:
        """Return the bound that `__str__` wrote; ValueError for anything else."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(f"expected a sign and a number, got '{text}'")
        return Bound(match[1], float(match[2]))

    def __str__(self) -> str:
        return f"{self.sign} {self.limit!r}"

    def holds(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return where ``values`` keep to it; NaN does not. Same shape."""
        return _SIGNS[self.sign](values, self.limit)

    def excess(self, value: float) -> float:
        """Return by how much a value breaks it, at most 0 where it does not.

        A value at a strict bound breaks it by the least number there is.
        """
        over = value - self.limit if self.sign.startswith("<") else self.limit - value
        return over or (float(np.nextafter(0.0, 1.0)) if len(self.sign) == 1 else 0.0)
