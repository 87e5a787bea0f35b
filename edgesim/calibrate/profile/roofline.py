"""The roofline of `Processor` that fits the measured times of some operators best.

Unknown are, as logarithms: the bandwidth over that of main memory, since small operators live in
caches; the overhead of a launch; the elements of half saturation; and the share of each kind. With
t the formula's time of an operator (`edgesim.calibrate.model.log_time`) and m the measured one, the
fit minimises

    sum over operators H(ln t - ln m) + sum over kinds (ln share - ln usual)² w²

where H is the soft L1 loss, a square for small differences and straight beyond 30 %, and the second
sum, a hundredth of an operator, keeps shares that no operator determines at their usual values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgesim.calibrate.model import Unknowns, log_time
from edgesim.calibrate.profile.operators import FUSED, Sample
from edgesim.calibrate.rows import KINDS, Array, tabulate
from edgesim.hardware.processor import Memory, Processor

_USUAL_SHARE = 0.6
_FAINT = 0.1
_STRAIGHT = 0.3
_FASTEST = 16.0
"""Largest apparent bandwidth of caches, over that of main memory."""
FOLDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Roofline:
    """A fitted roofline.

    Attributes:
        device: device with the fitted figures, of the kinds that were timed, and no measured model.
        errors: formula over measured less 1, of each operator.
        held_out: the same by fits that did not see the operator.
    """

    device: Processor
    errors: Array
    held_out: Array


def fit(
    operators: Sequence[Sample],
    times_s: Array,
    *,
    peak_flop_s: float,
    bandwidth_byte_s: float,
    precision: str,
) -> Roofline:
    """Fit, and fit again without a fifth of the operators, each fifth in turn.

    Args:
        operators: operators that were timed.
        times_s: measured time of each, in seconds.
        peak_flop_s: measured peak.
        bandwidth_byte_s: measured bandwidth of main memory.
        precision: precision of the operators.
    """
    from scipy.optimize import least_squares

    unknowns = Unknowns((precision,))
    shares = unknowns.shares(precision)
    logs = np.log(times_s)
    # From the shortest operator's time, and what a small cache does.
    start = np.log([2.0, 0.7 * times_s.min(), 100.0, *[_USUAL_SHARE] * len(KINDS)])
    low = np.array([*np.log([0.3, 1e-8, 1e-3]), *[-7.0] * len(KINDS)])
    high = np.array([*np.log([_FASTEST, 1e-2, 1e8]), *[0.0] * len(KINDS)])
    faint = _FAINT * np.eye(unknowns.size)[shares]

    def differences(seen: NDArray[np.intp]) -> Callable[[Array], tuple[Array, Array]]:
        """Return the function of the unknowns that gives ln t - ln m, and its Jacobian."""
        graphs = [(operators[index].graph, operators[index].batch) for index in seen]
        kernels = tabulate(graphs, frozenset(FUSED), precision)

        def evaluate(values: Array) -> tuple[Array, Array]:
            found, slopes = log_time(kernels, shares, values, peak_flop_s, bandwidth_byte_s)
            return found - logs[seen], slopes

        return evaluate

    def solve(seen: NDArray[np.intp]) -> Array:
        evaluate = differences(seen)

        def residuals(values: Array) -> Array:
            return np.concatenate([evaluate(values)[0], faint @ (values - start)])

        def jacobian(values: Array) -> Array:
            return np.vstack([evaluate(values)[1], faint])

        solution = least_squares(
            residuals,
            np.clip(start, low + 1e-6, high - 1e-6),
            jac=jacobian,
            bounds=(low, high),
            loss="soft_l1",
            f_scale=_STRAIGHT,
            x_scale="jac",
        )
        found: Array = solution.x
        return found

    every = np.arange(len(operators))
    of_all = differences(every)
    values = solve(every)
    held_out = np.zeros(len(operators))
    for fold in range(FOLDS):
        out = every % FOLDS == fold
        held_out[out] = np.expm1(of_all(solve(every[~out]))[0])[out]
    timed = {one.kind for one in operators}
    found = np.exp(values)
    efficiency = {k: v for k, v in unknowns.by_kind(found, precision).items() if k in timed}
    device = Processor(
        name="roofline",
        peak_flop_s={precision: peak_flop_s},
        efficiency={precision: efficiency},
        half_saturation=float(found[unknowns.HALF]),
        launch_overhead_s=float(found[unknowns.OVERHEAD]),
        memory=Memory(bandwidth_byte_s=float(found[unknowns.BANDWIDTH]) * bandwidth_byte_s),
        fused=frozenset(FUSED),
    )
    return Roofline(device=device, errors=np.expm1(of_all(values)[0]), held_out=held_out)
