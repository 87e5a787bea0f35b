"""Products of spectra summed over one channel, in pieces that fit a bound of memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import torch
from torch import Tensor

from optics.errors import InputError
from optics.ideal.problem import FACTORS, Problem, Role

Spectra = Mapping[Role, Tensor]
"""Spectra that are known already, frequency first: (frequencies, groups, leading, trailing)."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """How many of each index are worked on at once."""

    groups: int
    rows: int
    inner: int
    columns: int


@lru_cache(maxsize=1024)
def pieces(
    groups: int, rows: int, inner: int, columns: int, plane_bytes: int, max_bytes: int
) -> Pieces:
    """Return the pieces that need the fewest transforms within ``max_bytes``.

    Alive at once are, in planes: two of each factor (as transformed, and frequency first) and four
    of the result (the sum, one product or its copy in the order of maps, and the inverse transform
    with its own copy).

    Raises:
        InputError: not even one plane of each fits.
    """
    best: tuple[int, int, Pieces] | None = None
    for g, r, k, c in product(*(halvings(n) for n in (groups, rows, inner, columns))):
        if plane_bytes * g * (2 * r * k + 2 * k * c + 4 * r * c) > max_bytes:
            continue
        over = -(-columns // c) if k < inner else 1
        transforms = rows * inner * over + inner * columns * -(-rows // r)
        rounds = -(-groups // g) * -(-rows // r) * -(-inner // k) * -(-columns // c)
        if best is None or (transforms, rounds) < best[:2]:
            best = transforms, rounds, Pieces(g, r, k, c)
    if best is None:
        raise InputError(
            f"max_bytes={max_bytes} holds no plane: one image, kernel and output of this layer "
            f"take {8 * plane_bytes} bytes; allow at least that"
        )
    return best[2]


def halvings(count: int) -> list[int]:
    """Return ``count``, half of it rounded up, and so on down to 1."""
    sizes = [count]
    while sizes[-1] > 1:
        sizes.append(-(-sizes[-1] // 2))
    return sizes


def contract(
    problem: Problem, result: Role, first: Tensor, second: Tensor, known: Spectra
) -> tuple[Tensor, dict[Role, Tensor]]:
    """Return the tensor of role ``result``, and the spectra that fitted whole, for later use.

    Args:
        problem: geometry and bound.
        result: which of the three tensors is asked for.
        first: the tensor of ``FACTORS[result][0]``, as frameworks hold it.
        second: the other.
        known: spectra that need not be computed again.
    """
    roles = FACTORS[result]
    factors = [problem.grouped(role, t) for role, t in zip(roles, (first, second), strict=True)]
    out = first.new_empty(problem.tensor_shape(result))
    view = problem.grouped(result, out)
    # The index that is not in the result is summed over: channels in, channels out, or images.
    (rows, columns), groups = problem.indices(result), problem.shape.groups
    inner = {
        Role.OUTPUT: problem.shape.in_group,
        Role.IMAGE: problem.shape.out_group,
        Role.KERNEL: problem.shape.batch,
    }[result]
    if out.numel() == 0 or inner == 0:
        return out.zero_(), {}
    size = problem.frequencies * 2 * out.element_size()
    part = pieces(groups, rows, inner, columns, size, problem.max_bytes)
    whole = part == Pieces(groups, rows, inner, columns)
    source = _Factors(problem, result, factors, known, keep=whole)
    for g, r in product(every(groups, part.groups), every(rows, part.rows)):
        left: Tensor | None = None
        for c in every(columns, part.columns):
            total: Tensor | None = None
            for k in every(inner, part.inner):
                if left is None or part.inner < inner:
                    left = source.left(g, r, k)
                term = _product(left, source.right(g, k, c))
                total = term if total is None else total.add_(term)
                del term
            assert total is not None
            spectra = total.permute(2, 1, 3, 0).contiguous()
            del total
            view[r, g, c] = problem.maps(result, spectra)
            del spectra
    return out, source.computed


def _product(left: Tensor, right: Tensor) -> Tensor:
    """Return (F, G, rows, columns) from (F, G, rows, inner) and (F, G, inner, columns)."""
    if left.shape[-1] == 1:
        return left * right
    summed = torch.bmm(left.flatten(0, 1), right.flatten(0, 1))
    return summed.view(*left.shape[:3], right.shape[3])


def every(count: int, size: int) -> list[slice]:
    """Return slices of at most ``size`` over ``count``."""
    return [slice(at, min(at + size, count)) for at in range(0, count, size)]


class _Factors:
    """Spectra of the two factors, piece by piece."""

    def __init__(
        self, problem: Problem, result: Role, factors: list[Tensor], known: Spectra, *, keep: bool
    ) -> None:
        self.problem = problem
        self.result = result
        self.factors = factors
        self.known = known
        self.keep = keep
        self.computed: dict[Role, Tensor] = dict(known) if keep else {}

    def left(self, groups: slice, rows: slice, inner: slice) -> Tensor:
        """Return (F, G, rows, inner)."""
        if self.result is Role.KERNEL:  # rows are channels out, which the second factor leads with
            return self._spectrum(1, groups, inner, rows).transpose(-1, -2)
        return self._spectrum(0, groups, rows, inner)

    def right(self, groups: slice, inner: slice, columns: slice) -> Tensor:
        """Return (F, G, inner, columns)."""
        if self.result is Role.KERNEL:
            return self._spectrum(0, groups, inner, columns)
        if self.result is Role.OUTPUT:  # the kernel leads with channels out
            return self._spectrum(1, groups, columns, inner).transpose(-1, -2)
        return self._spectrum(1, groups, inner, columns)

    def _spectrum(self, which: int, groups: slice, leading: slice, trailing: slice) -> Tensor:
        role = FACTORS[self.result][which]
        if role in self.known:
            return self.known[role][:, groups, leading, trailing]
        maps = self.factors[which][leading, groups, trailing]
        spectrum = self.problem.spectrum(role, maps).permute(3, 1, 0, 2).contiguous()
        if self.keep:
            self.computed[role] = spectrum
        return spectrum
