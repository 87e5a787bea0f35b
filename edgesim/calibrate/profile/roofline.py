"""The roofline of `Processor` that tells the times of some operators best.

Unknown are, as logarithms: the bandwidth over that of main memory, since small operators live in
caches; the overhead of a launch; the elements of half saturation; and the share of each kind. With
t the formula's time of an operator and m the measured one, the fit minimises

    sum over operators H(ln t - ln m) + sum over kinds (ln share - ln usual)² w²

where H is the soft L1 loss, a square for small differences and straight beyond 30 %, and the second
sum, a hundredth of an operator, keeps shares that no operator tells anything of where they began.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgesim.calibrate.profile.served import Array
from edgesim.calibrate.rows import KINDS, MOVES, PRODUCTS, tabulate
from edgesim.graph import Graph, OpKind
from edgesim.hardware.processor import Memory, Processor

_USUAL = {"products": 0.6, "moves": 0.6}
_FAINT = 0.1
_STRAIGHT = 0.3
_FASTEST = 16.0
"""Times the bandwidth of main memory, that caches may seem to have."""
_PLAIN = 3
FOLDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """A measured operator.

    Attributes:
        name: for people.
        kind: that it was timed for.
        graph: of it.
        batch: samples at once.
        time_s: that it took.
    """

    name: str
    kind: OpKind
    graph: Graph
    batch: int
    time_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Roofline:
    """What was found.

    Attributes:
        efficiency: by operator kind, of the kinds that were timed.
        launch_overhead_s: of a kernel.
        half_saturation: output elements that reach half of the efficiency.
        bandwidth_byte_s: that operators see, caches included.
        errors: formula over measured less 1, of each operator that the fit saw.
        held_out: the same where the fit did not see the operator.
    """

    efficiency: dict[str, float]
    launch_overhead_s: float
    half_saturation: float
    bandwidth_byte_s: float
    errors: Array
    held_out: Array


@dataclass(frozen=True)
class _Table:
    """Operators as arrays, one row a kernel."""

    which: NDArray[np.intp]
    flop: Array
    depth_flop: Array
    bytes: Array
    moves: NDArray[np.intp]
    logs: Array


def fit(
    operators: Sequence[Operator],
    *,
    peak_flop_s: float,
    bandwidth_byte_s: float,
    precision: str,
    fused: Sequence[OpKind],
) -> Roofline:
    """Fit, and fit again without a fifth of the operators, each fifth in turn.

    Args:
        operators: that were timed.
        peak_flop_s: measured.
        bandwidth_byte_s: of main memory, measured.
        precision: of the operators.
        fused: kinds that run in the kernel before them.
    """
    table = _table(operators, precision, frozenset(fused))
    values = _solve(table, peak_flop_s, bandwidth_byte_s)
    errors = np.expm1(_logs(table, values, peak_flop_s, bandwidth_byte_s) - table.logs)
    held_out = np.zeros(len(operators))
    folds = np.arange(len(operators)) % FOLDS
    for fold in range(FOLDS):
        seen = _table(
            [one for one, its in zip(operators, folds, strict=True) if its != fold],
            precision,
            frozenset(fused),
        )
        other = _logs(
            table, _solve(seen, peak_flop_s, bandwidth_byte_s), peak_flop_s, bandwidth_byte_s
        )
        held_out[folds == fold] = np.expm1(other - table.logs)[folds == fold]
    shares = dict(zip(KINDS, np.exp(values[_PLAIN:]), strict=True))
    timed = {one.kind for one in operators}
    return Roofline(
        efficiency={kind.value: float(shares[kind]) for kind in KINDS if kind in timed},
        launch_overhead_s=float(np.exp(values[1])),
        half_saturation=float(np.exp(values[2])),
        bandwidth_byte_s=float(np.exp(values[0])) * bandwidth_byte_s,
        errors=errors,
        held_out=held_out,
    )


def _table(operators: Sequence[Operator], precision: str, fused: frozenset[OpKind]) -> _Table:
    tables = [tabulate(one.graph, fused, one.batch, precision) for one in operators]
    which = np.repeat(np.arange(len(tables)), [len(flop) for flop, *_ in tables])
    flop, depth, size, moves = (np.concatenate(column) for column in zip(*tables, strict=True))
    return _Table(which, flop, depth, size, moves, np.log([one.time_s for one in operators]))


def _logs(table: _Table, values: Array, peak_flop_s: float, bandwidth_byte_s: float) -> Array:
    """Return the logarithm of the formula's time of each operator."""
    bandwidth, overhead_s, half = np.exp(values[:_PLAIN])
    shares = np.exp(values[_PLAIN:])
    rates = peak_flop_s * shares[: len(PRODUCTS)]
    compute_s = ((table.flop + half * table.depth_flop) / rates).sum(axis=1)
    own = np.where(table.moves >= 0, shares[len(PRODUCTS) + table.moves], 1.0)
    memory_s = table.bytes / (bandwidth_byte_s * bandwidth * own)
    kernel_s = np.maximum(compute_s, memory_s) + overhead_s
    found: Array = np.log(np.bincount(table.which, kernel_s, minlength=len(table.logs)))
    return found


def _solve(table: _Table, peak_flop_s: float, bandwidth_byte_s: float) -> Array:
    from scipy.optimize import least_squares

    usual = np.log([_USUAL["products"]] * len(PRODUCTS) + [_USUAL["moves"]] * len(MOVES))

    def left(values: Array) -> Array:
        differences = _logs(table, values, peak_flop_s, bandwidth_byte_s) - table.logs
        return np.concatenate([differences, _FAINT * (values[_PLAIN:] - usual)])

    # From the shortest operator's time, and what a small cache does.
    shortest_s = float(np.exp(table.logs.min()))
    begin = np.concatenate([[np.log(2.0), np.log(0.7 * shortest_s), np.log(100.0)], usual])
    low = np.concatenate([[np.log(0.3), np.log(1e-8), np.log(1e-3)], np.full(len(KINDS), -7.0)])
    high = np.concatenate([[np.log(_FASTEST), np.log(1e-2), np.log(1e8)], np.zeros(len(KINDS))])
    begin = np.clip(begin, low + 1e-6, high - 1e-6)
    solved = least_squares(
        left, begin, bounds=(low, high), loss="soft_l1", f_scale=_STRAIGHT, x_scale="jac"
    )
    found: Array = solved.x
    return found


def processor(
    found: Roofline, peak_flop_s: float, precision: str, fused: Sequence[OpKind]
) -> Processor:
    """Return the roofline as a device, with nothing measured in its place."""
    return Processor(
        name="roofline",
        peak_flop_s={precision: peak_flop_s},
        efficiency={precision: found.efficiency},
        half_saturation=found.half_saturation,
        launch_overhead_s=found.launch_overhead_s,
        memory=Memory(bandwidth_byte_s=found.bandwidth_byte_s),
        fused=frozenset(fused),
    )
