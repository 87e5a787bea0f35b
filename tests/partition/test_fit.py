"""Assignment of sub-models to devices: by brute force, as properties, and what cannot be."""

from functools import partial
from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from partition.cost import ModelCost
from partition.errors import InfeasibleError, InputError
from partition.fit import Assignment, exact, fits, gap, greedy
from partition.recipe import Budget

Size = partial(ModelCost, parameters=0, attention_macs=0, feature_bytes=0)
ROWS = st.lists(st.integers(1, 30), min_size=1, max_size=4)


def _sizes(rows):
    """Sizes that grow with the heads; MACs are ten a byte."""
    return [[Size(bytes=sum(row[: k + 1]), macs=10 * sum(row[: k + 1])) for k in range(len(row))]
            for row in rows]  # fmt: skip


@st.composite
def problems(draw):
    heads = draw(st.integers(1, 4))
    rows = draw(st.lists(st.lists(st.integers(1, 20), min_size=heads, max_size=heads),
                         min_size=1, max_size=3))  # fmt: skip
    devices = [
        Budget(
            name=f"d{number}",
            memory_bytes=draw(st.none() | st.integers(1, 70)),
            macs_per_second=100.0,
            latency_s=draw(st.none() | st.floats(0.5, 8.0)),
            joules_per_mac=0.5,
            energy_j=draw(st.none() | st.floats(10.0, 400.0)),
        )
        for number in range(draw(st.integers(1, 4)))
    ]
    return _sizes(rows), devices


def _brute_force(sizes, budgets):
    """Most heads in all over every choice of devices and head counts; None where there is none."""
    possible = fits(sizes, budgets)
    best = None
    for devices in permutations(range(len(budgets)), len(sizes)):
        for heads in product(range(len(sizes[0])), repeat=len(sizes)):
            if all(possible[p, k, d] for p, (k, d) in enumerate(zip(heads, devices))):
                best = max(best or 0, sum(heads) + len(heads))
    return best


def _check(assignment, sizes, budgets):
    assert len(set(assignment.devices)) == len(sizes)
    for row, heads, device in zip(sizes, assignment.heads, assignment.devices):
        size = row[heads - 1]
        assert size.bytes <= budgets[device].room
        assert budgets[device].refusal(size.bytes, size.macs) is None


@settings(max_examples=150)
@given(problem=problems())
def test_the_exact_assignment_is_the_best_of_all_and_greedy_never_beats_it(problem):
    sizes, budgets = problem
    best = _brute_force(sizes, budgets)
    if best is None:
        with pytest.raises(InfeasibleError, match=r"device|devices"):
            exact(sizes, budgets)
        for tighten in ("all", "stuck"):
            with pytest.raises(InfeasibleError):
                greedy(sizes, budgets, tighten)
        return
    found = exact(sizes, budgets)
    _check(found, sizes, budgets)
    assert found.total_heads == best
    for tighten in ("all", "stuck"):
        try:
            first = greedy(sizes, budgets, tighten)
        except InfeasibleError:
            continue  # greedy may miss an assignment that there is
        _check(first, sizes, budgets)
        assert 0 <= gap(first, found) < 1
        assert first.restarts <= sum(len(row) for row in sizes)


@settings(max_examples=60)
@given(
    rows=st.lists(ROWS, min_size=1, max_size=5), slack=st.integers(0, 3), tight=st.integers(1, 9)
)
def test_greedy_ends_on_equal_devices_exactly_where_the_smallest_sub_models_fit(rows, slack, tight):
    heads = min(len(row) for row in rows)
    sizes = _sizes([row[:heads] for row in rows])
    budgets = [Budget(name=f"pi-{n}", memory_bytes=tight) for n in range(len(sizes) + slack)]
    if max(row[0].bytes for row in sizes) <= tight:
        _check(greedy(sizes, budgets), sizes, budgets)
    else:
        with pytest.raises(InfeasibleError):
            greedy(sizes, budgets)


def test_all_are_tightened_together_and_one_stuck_alone_keeps_more():
    sizes = [[Size(bytes=10 * k, macs=1) for k in (1, 2, 3, 4)] for _ in range(2)]
    budgets = [Budget(name="large", memory_bytes=40), Budget(name="small", memory_bytes=20)]
    together = greedy(sizes, budgets, "all")
    alone = greedy(sizes, budgets, "stuck")
    best = exact(sizes, budgets)
    assert (together.heads, together.restarts) == ((2, 2), 2)
    assert sorted(alone.heads) == [2, 4]
    assert sorted(best.heads) == [2, 4]
    assert gap(together, best) == pytest.approx(1 / 3)


def test_the_exact_one_prefers_fewer_macs_among_equals():
    sizes = [
        [Size(bytes=1, macs=5), Size(bytes=9, macs=50)],
        [Size(bytes=1, macs=5), Size(bytes=9, macs=70)],
    ]
    budgets = [Budget(name="large", memory_bytes=9), Budget(name="small", memory_bytes=1)]
    assert exact(sizes, budgets) == Assignment(heads=(2, 1), devices=(0, 1))


@pytest.mark.parametrize("assign", [greedy, exact])
def test_an_infeasible_answer_names_the_device_and_the_bytes(assign):
    sizes = [[Size(bytes=100, macs=1)], [Size(bytes=300, macs=1)]]
    budgets = [Budget(name="pi-0", memory_bytes=150), Budget(name="pi-1", memory_bytes=200)]
    with pytest.raises(InfeasibleError, match="needs 300 bytes, pi-1 has 200"):
        assign(sizes, budgets)
    with pytest.raises(InfeasibleError, match="2 sub-models need as many devices, but there are 1"):
        assign(sizes, budgets[:1])


@pytest.mark.parametrize("assign", [greedy, exact])
def test_latency_and_energy_bind_too(assign):
    sizes = [[Size(bytes=1, macs=100), Size(bytes=1, macs=200)]]
    slow = Budget(name="slow", macs_per_second=100, latency_s=1.5)
    frugal = Budget(name="frugal", joules_per_mac=0.1, energy_j=12)
    tiny = Budget(name="tiny", joules_per_mac=0.1, energy_j=2)
    assert assign(sizes, [slow]).heads == (1,)
    assert assign(sizes, [frugal]).heads == (1,)
    with pytest.raises(InfeasibleError, match="takes 10 J on tiny, more than 2 J"):
        assign(sizes, [tiny])


def test_budgets_that_cannot_be_checked_are_refused():
    with pytest.raises(ValidationError, match="needs macs_per_second"):
        Budget(name="a", latency_s=1.0)
    with pytest.raises(ValidationError, match="needs joules_per_mac"):
        Budget(name="a", energy_j=1.0)
    with pytest.raises(InputError, match="'all' or 'stuck'"):
        greedy([[Size(bytes=1, macs=1)]], [Budget(name="a")], "some")
    with pytest.raises(InputError, match="no sub-models"):
        exact([], [Budget(name="a")])


def test_ten_parts_on_mixed_devices_are_assigned_exactly():
    sizes = _sizes([[10] * 8 for _ in range(10)])
    budgets = [Budget(name=f"d{n}", memory_bytes=10 * (1 + n % 8)) for n in range(12)]
    # the ten largest of 1..8, 1..4 are 8, 7, 6, 5, 4, 4, 3, 3, 2, 2
    assert exact(sizes, budgets).total_heads == 44
    first = greedy(sizes, budgets)
    assert first.total_heads == 20
