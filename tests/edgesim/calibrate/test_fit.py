"""The fit finds what made its rows, as surely as it tells, and sees no row that is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgesim.calibrate import __main__ as report
from edgesim.calibrate import families, fit, problem
from edgesim.calibrate.model import Unknowns
from edgesim.calibrate.outside import is_outside, row_weight
from edgesim.calibrate.problem import Problem, far, huber
from edgesim.calibrate.rows import KINDS, Array, Row, rows
from edgesim.calibrate.solve import minimum
from edgesim.hardware import catalog

FAMILIES = list(families.FAMILIES)


def test_every_device_of_the_catalog_is_of_one_family() -> None:
    members = [name for family in FAMILIES for name in families.members(family)]
    assert sorted(members) == catalog.names("processor")


def test_huber_is_a_square_that_goes_straight_on() -> None:
    residuals = np.array([-5.0, -2.0, -0.3, 0.0, 1.9, 2.0, 2.1, 30.0])
    found, slopes = huber(residuals, 2.0)
    size = np.abs(residuals)
    assert found**2 == pytest.approx(np.where(size <= 2, size**2, 4 * size - 4), rel=1e-12)
    assert (np.sign(found) == np.sign(residuals)).all()
    ahead, behind = huber(residuals + 1e-7, 2.0)[0], huber(residuals - 1e-7, 2.0)[0]
    assert slopes == pytest.approx((ahead - behind) / 2e-7, abs=1e-6)


def test_rows_far_outside_lose_their_pull() -> None:
    """Cauchy's loss: c² ln(1 + r²/c²), whose derivative falls again beyond c."""
    residuals = np.array([-50.0, -3.0, -1e-8, 0.0, 1e-4, 3.0, 13.0])
    found, slopes = far(residuals)
    assert found**2 == pytest.approx(9 * np.log1p(residuals**2 / 9), rel=1e-9, abs=1e-15)
    assert (np.sign(found) == np.sign(residuals)).all()
    ahead, behind = far(residuals + 1e-6)[0], far(residuals - 1e-6)[0]
    assert slopes == pytest.approx((ahead - behind) / 2e-6, abs=1e-5)
    pull = np.abs(found * slopes)
    assert pull[-1] < pull[-2]
    # Half of the loss's derivative over the residual is the weight of a row.
    assert found[-1] * slopes[-1] / residuals[-1] == pytest.approx(row_weight(np.expm1(1.3)))


def test_a_row_is_outside_where_it_counts_less_than_a_quarter() -> None:
    edge = np.exp(0.3 * np.sqrt(3.0))
    assert is_outside(1.001 * edge - 1.0)
    assert not is_outside(0.999 * edge - 1.0)
    assert is_outside(0.999 / edge - 1.0)


def test_the_minimum_within_bounds_is_that_of_scipy() -> None:
    """Rosenbrock's valley, free and cut off by bounds, and a line that leans on one."""
    from scipy.optimize import least_squares

    def residuals(at: Array) -> Array:
        return np.array([10.0 * (at[1] - at[0] ** 2), 1.0 - at[0]])

    def normal(at: Array) -> tuple[float, Array, Array]:
        slopes = np.array([[-20.0 * at[0], 10.0], [-1.0, 0.0]])
        found = residuals(at)
        return float(found @ found), slopes.T @ found, slopes.T @ slopes

    start = np.array([-1.2, 1.0])
    for low, high in (((-5.0, -5.0), (5.0, 5.0)), ((-5.0, -5.0), (0.6, 5.0))):
        bounds = np.array(low), np.array(high)
        expected = least_squares(residuals, start, bounds=bounds).x
        assert minimum(normal, start, *bounds) == pytest.approx(expected, abs=1e-3)


def test_one_suspect_row_does_not_steer_the_pi_5() -> None:
    """Its fp32 ViT row is slower than a Pi 4B's; on ResNet-50 a Pi 5 is 4.3 times as fast."""
    from edgesim.graph import zoo

    graph = zoo.build("vit_tiny_patch16_224")
    times_s = {
        name: catalog.device(name).graph_cost(graph, "fp32").time_s
        for name in ("raspberry-pi-4b", "raspberry-pi-5")
    }
    assert times_s["raspberry-pi-4b"] / times_s["raspberry-pi-5"] > 1.8
    suspect = next(
        row
        for row in rows("raspberry-pi-5")
        if row.published.precision == "fp32" and row.architecture.startswith("vit_tiny")
    )
    assert is_outside(fit.fit("arm").time_s(suspect) / suspect.published.latency_s - 1.0)


@pytest.mark.parametrize("family", ["jetson", "arm"])
def test_the_jacobian_is_that_of_finite_differences(family: str) -> None:
    found = Problem(family)
    generator = np.random.default_rng(3)
    flat = found.start + 0.3 * generator.standard_normal(found.start.size)
    _, jacobian = found.evaluate(flat)
    along = generator.standard_normal(flat.size)
    step = 1e-7
    ahead, behind = found.evaluate(flat + step * along)[0], found.evaluate(flat - step * along)[0]
    # Residuals reach 1e3, so differences over 2e-7 are good to 1e-5 of that.
    assert jacobian @ along == pytest.approx((ahead - behind) / (2 * step), rel=1e-5, abs=1e-4)


class Made:
    """A family whose published times are made by the model from unknowns drawn from the prior."""

    def __init__(
        self, family: str, monkeypatch: pytest.MonkeyPatch, seed: int, *, noise: float
    ) -> None:
        # Draws go beyond what devices do; bounds are tested by themselves.
        monkeypatch.setattr(problem, "_BANDWIDTH", (1e-9, 1e9))
        monkeypatch.setattr(problem, "_OVERHEAD_S", (1e-15, 1e6))
        monkeypatch.setattr(problem, "_HALF", (1e-9, 1e15))
        monkeypatch.setattr(problem, "_SHARE", (1e-9, 1e9))
        template = Problem(family)
        generator = np.random.default_rng(seed)
        prior = template.prior
        covariance = np.linalg.inv(prior.T @ prior)
        mean = covariance @ prior.T @ template.offset
        draw = np.linalg.cholesky(covariance) @ generator.standard_normal(mean.size)
        self.truth: Array = mean + draw
        made: dict[str, list[Row]] = {name: [] for name in template.devices}
        for row in template.rows:
            time_s = np.exp(template.log_time(row, self.truth))
            time_s *= np.exp(noise * generator.standard_normal())
            published = replace(row.published, stated_latency_s=time_s, samples_per_s=None)
            made[row.device].append(replace(row, published=published))
        monkeypatch.setattr(problem, "rows", lambda name: tuple(made[name]))
        self.problem = Problem(family)


@pytest.mark.parametrize("family", ["jetson", "x86"])
def test_what_rows_decide_is_found_again(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exact times, of which the fit is sure to 0.1 %, give back the unknowns that they decide."""
    monkeypatch.setattr(problem, "ROW_SIGMA", 1e-3)
    made = Made(family, monkeypatch, 5, noise=0.0)
    flat = made.problem.solve()
    count = len(made.problem.rows)
    residuals = made.problem.evaluate(flat)[0][:count] * 1e-3
    assert np.abs(residuals).max() < 2e-3
    truth = made.problem.split(made.truth)[0][:-1]
    told = made.problem.determined(flat)
    decided = told > 0.98
    # A standard deviation without rows is about 1.1, so 2 % of it; three of those.
    assert np.count_nonzero(decided) >= 3
    found = made.problem.split(flat)[0][:-1]
    assert np.abs(found - truth)[decided].max() < 0.07


def test_noise_of_a_tenth_spreads_times_as_it_should(monkeypatch: pytest.MonkeyPatch) -> None:
    """Truth drawn from the prior, noise from the likelihood: errors are as large as is told."""
    squares, errors = [], []
    for seed in range(4):
        with monkeypatch.context() as patch:
            # Normal noise is told by squares; limits and tails are for what is not noise.
            patch.setattr(problem, "ROW_LIMIT", 1e9)
            patch.setattr(problem, "ROW_TAIL", 1e9)
            made = Made("jetson", patch, 20 + seed, noise=problem.ROW_SIGMA)
            flat, count = made.problem.solve(), len(made.problem.rows)
            residuals, jacobian = made.problem.evaluate(flat)
            covariance = np.linalg.inv(jacobian.T @ jacobian)
            # Both with the noise of the published times, which falls out of the difference.
            error = residuals[:count] - made.problem.evaluate(made.truth)[0][:count]
            deviation = np.einsum("ij,jk,ik->i", jacobian[:count], covariance, jacobian[:count])
            squares.append(error**2 / deviation)
            errors.append(error)
    # The fit to 31 rows is nearer to the truth than the rows, which are one deviation off ...
    assert 0.3 < np.sqrt(np.mean(np.square(errors))) < 0.95
    # ... and as near as it tells. Rows share unknowns, so four draws are worth a few dozen, and
    # the mean of their squares is good to about 30 %.
    assert 0.6 < np.mean(squares) < 1.4


def test_one_absurd_row_hardly_moves_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fit.fit("jetson")
    wrong = rows("jetson-nano")[2]

    def with_a_wrong_one(name: str) -> tuple[Row, ...]:
        return tuple(
            times(row, 100.0) if row is wrong else row for row in rows(name)
        )  # fmt: skip

    monkeypatch.setattr(problem, "rows", with_a_wrong_one)
    after = fit.fit("jetson")
    others = [row for name in families.members("jetson") for row in rows(name) if row is not wrong]
    moved = [abs(np.log(after.time_s(row) / before.time_s(row))) for row in others]
    assert np.median(moved) < 0.03
    assert max(moved) < 0.35


def times(row: Row, factor: float) -> Row:
    """The same figure, published ``factor`` times as long."""
    latency = factor * row.published.latency_s
    changes = {"stated_latency_s": latency, "samples_per_s": None}
    return replace(row, published=replace(row.published, **changes))


@pytest.mark.parametrize("family", ["jetson", "x86", "arm"])
def test_what_is_left_out_has_no_say(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a left-out architecture's figures absurd, on all devices: not a bit of the fit moves."""
    left_out = "vit_tiny_patch16_224"
    clean = fit.fit(family, without={left_out})
    touched = []

    def absurd(name: str) -> tuple[Row, ...]:
        changed = [times(row, 1e4) if row.architecture == left_out else row for row in rows(name)]
        touched.extend(row for row in changed if row.architecture == left_out)
        return tuple(changed)

    monkeypatch.setattr(problem, "rows", absurd)
    dirty = fit.fit(family, without={left_out})
    assert {row.published.model for row in touched} <= {
        "vit_tiny_patch16_224",
        "deit_tiny_patch16_224",
    }
    assert touched
    for name, one in clean.devices.items():
        assert (one.values == dirty.devices[name].values).all()
    seen = fit.fit(family)
    assert any(
        (one.values != seen.devices[name].values).any() for name, one in clean.devices.items()
    )


@pytest.fixture(scope="module")
def outcomes() -> list[report.Outcome]:
    return report.outcomes("x86")


def test_a_twin_is_left_out_with_its_twin(outcomes: list[report.Outcome]) -> None:
    tiny = [one for one in outcomes if one.row.architecture == "vit_tiny_patch16_224"]
    assert {one.row.published.model for one in tiny} == {
        "vit_tiny_patch16_224",
        "deit_tiny_patch16_224",
    }
    part = fit.fit("x86", without={"vit_tiny_patch16_224"})
    for one in tiny:
        error = part.time_s(one.row) / one.row.published.latency_s - 1.0
        assert one.unseen == pytest.approx(error, rel=1e-12)


def test_kin_are_left_out_together() -> None:
    outcomes = report.outcomes("jetson", report.kinship)
    assert len(outcomes) == len(Problem("jetson").rows)
    names = {"resnet18", "resnet34", "resnet50"}
    part = fit.fit("jetson", without=names)
    for one in outcomes:
        if one.row.published.model in names:
            error = part.time_s(one.row) / one.row.published.latency_s - 1.0
            assert one.unseen == pytest.approx(error, rel=1e-12)


def test_twins_count_once_with_the_mean_of_their_logarithms(
    outcomes: list[report.Outcome],
) -> None:
    known = [
        replace(one, seen=error, unseen=2 * error)
        for one, error in zip(
            [one for one in outcomes if "vit_base" in one.row.architecture],
            (1.0, 0.0, 0.21, 0.0),
            strict=True,
        )
    ]
    merged = report.merge_duplicates(known)
    assert len(merged) == 2
    by_device = {one.row.device: one for one in merged}
    pairs: dict[str, list[float]] = {}
    for one in known:
        pairs.setdefault(one.row.device, []).append(one.seen)
    for device, errors in pairs.items():
        expected = np.sqrt((1 + errors[0]) * (1 + errors[1])) - 1
        assert by_device[device].seen == pytest.approx(expected, rel=1e-12)


def test_bounds_are_told() -> None:
    """A card that would need more than its peak stands at it, and is said to."""
    found = fit.fit("jetson")
    nano = found.devices["jetson-nano"]
    at = np.flatnonzero(nano.bound)
    shares = np.exp(nano.values)
    for index in at[at >= Unknowns.FIRST_SHARE]:
        assert shares[index] == pytest.approx(1.0, abs=2e-3) or shares[index] < 0.0021
    free = ~nano.bound
    assert (shares[Unknowns.FIRST_SHARE :][free[Unknowns.FIRST_SHARE :]] < 0.9995).all()


def test_rows_tell_of_what_they_hold_and_of_nothing_else() -> None:
    """TensorRT rows hold many convolutions, and softmax in a fifth of the rows only."""
    found = Problem("jetson")
    told = found.determined(found.solve())
    shares = found.unknowns.shares("fp16")
    kinds = dict(zip(KINDS, told[found.devices.index("jetson-nano"), shares], strict=True))
    assert kinds["conv"] > 0.6
    # Batch normalisation and ReLU are folded into convolutions: no row has a kernel of its own.
    assert kinds["batchnorm"] == pytest.approx(0.0, abs=1e-6)
    assert all(0.0 <= value < 1.0 for value in kinds.values())


@pytest.mark.parametrize("family", FAMILIES)
def test_the_catalog_holds_what_the_fit_finds(family: str) -> None:
    """fitted.json is what this code makes of these rows: times agree on every one of them.

    Figures are written with three digits, and the roofline's kinks let the last of them depend on
    the machine's arithmetic; a row's time does not.
    """
    from edgesim.calibrate.predict import predictions

    found = fit.fit(family)
    for name in families.members(family):
        predicted = [one.predicted_s for one in predictions(name)]
        for row, time_s in zip(rows(name), predicted, strict=True):
            if row.published.fit:
                assert found.time_s(row) == pytest.approx(time_s, rel=0.02)
        written = catalog.entry(name)
        assert written["half_saturation"] == pytest.approx(
            found.devices[name].half_saturation, rel=0.05
        )
