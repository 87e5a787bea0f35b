"""Attention's figures, on made-up maps of known answers."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import pearsonr
from torch import Tensor

from optics.convshare.attention_score import (
    Agreement,
    agreement,
    attention_distance,
    attention_score,
    relative_entropy,
    rollout,
    uniform_distance,
)
from optics.errors import InputError

IMAGES = 40
GRID = (3, 4)
TOKENS = 1 + 3 * 4


def drawn(seed: int, *, contrast: float = 2.0) -> Tensor:
    """Return random attention of 3 layers and 2 heads, (3, images, 2, tokens, tokens)."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(3, IMAGES, 2, TOKENS, TOKENS, generator=generator, dtype=torch.float64)
    return (contrast * scores).softmax(-1)


def uniform() -> Tensor:
    return torch.full((3, IMAGES, 2, TOKENS, TOKENS), 1 / TOKENS, dtype=torch.float64)


def one_hot(targets: Tensor) -> Tensor:
    """Return maps (images, image tokens) that are 1 at one token."""
    return torch.nn.functional.one_hot(targets, TOKENS - 1).double()


# Rollout


def test_rollout_of_uniform_identity_and_one_hot_attention() -> None:
    even = torch.full((IMAGES, TOKENS - 1), 1 / (TOKENS - 1), dtype=torch.float64)
    torch.testing.assert_close(rollout(uniform()), even, rtol=0, atol=1e-15)
    identity = torch.eye(TOKENS, dtype=torch.float64).expand(3, IMAGES, 2, -1, -1)
    torch.testing.assert_close(rollout(identity), even, rtol=0, atol=1e-15)
    targets = 1 + torch.arange(IMAGES) % (TOKENS - 1)
    attention = torch.zeros(1, IMAGES, 1, TOKENS, TOKENS, dtype=torch.float64)
    for image, target in enumerate(targets.tolist()):
        attention[0, image, 0, :, target] = 1
    assert torch.equal(rollout(attention), one_hot(targets - 1))


def test_rollout_is_the_product_of_layers_with_their_residuals() -> None:
    attention = drawn(1)
    eye = torch.eye(TOKENS, dtype=torch.float64)
    first, second, third = (0.5 * layer.mean(1) + 0.5 * eye for layer in attention)
    row = (third @ second @ first)[:, 0, 1:]
    expected = row / row.sum(-1, keepdim=True)
    torch.testing.assert_close(rollout(attention), expected, rtol=1e-12, atol=0)


# Score


def test_a_model_against_itself_scores_one() -> None:
    maps = rollout(drawn(1))
    assert attention_score(maps, maps) == pytest.approx(1, abs=1e-12)
    assert agreement(maps, maps).contrast == 1


def test_uniform_attention_scores_zero() -> None:
    maps, reference = rollout(uniform()), rollout(drawn(1))
    assert attention_score(maps, reference) == 0
    assert attention_score(reference, maps) == 0
    assert attention_score(maps, maps) == 0
    assert agreement(reference, maps) == Agreement(direction=0, contrast=math.inf)
    assert attention_score(maps.float(), reference.float()) == 0


def test_attention_that_does_not_see_the_image_scores_zero() -> None:
    reference = rollout(drawn(1))
    middle = reference.mean(0).expand(IMAGES, -1)  # the best of all fixed maps
    assert agreement(middle, reference) == Agreement(direction=0, contrast=0)
    assert attention_score(middle, reference) == 0


@pytest.mark.parametrize("contrast", [1e-3, 0.1, 0.5, 2.0, -1.0])
def test_the_score_goes_to_zero_as_attention_goes_to_uniform(contrast: float) -> None:
    """2c/(1 + c²) for c times the contrast, where correlation stays at 1."""
    reference = rollout(drawn(1))
    maps = reference.mean(0) + contrast * (reference - reference.mean(0))
    found = agreement(maps, reference)
    assert found.score == pytest.approx(2 * contrast / (1 + contrast**2), rel=1e-9)
    assert found.direction == pytest.approx(math.copysign(1, contrast), rel=1e-9)
    assert found.contrast == pytest.approx(abs(contrast), rel=1e-9)


def test_attention_of_other_images_scores_about_zero() -> None:
    """Independent maps: mean 0, deviation 1/√(images x tokens), here 0.046 of 480 values."""
    maps, reference = rollout(drawn(1)), rollout(drawn(2))
    assert abs(attention_score(maps, reference)) < 0.2
    assert abs(attention_score(reference.roll(1, 0), reference)) < 0.2


def test_one_hot_maps_that_are_shifted_score_below_zero() -> None:
    """Every token is the target equally often: Σa² = n(1 - 1/t), Σab = -n/t where none agree."""
    tokens = TOKENS - 1
    targets = torch.arange(3 * tokens) % tokens
    shifted = one_hot((targets + 1) % tokens)
    assert attention_score(shifted, one_hot(targets)) == pytest.approx(-1 / (tokens - 1), abs=1e-12)
    half = torch.where(torch.arange(3 * tokens) < tokens, targets, (targets + 1) % tokens)
    expected = (1 / 3 * (1 - 1 / tokens) - 2 / 3 / tokens) / (1 - 1 / tokens)
    assert attention_score(one_hot(half), one_hot(targets)) == pytest.approx(expected, abs=1e-12)


def test_score_is_lins_coefficient_of_centred_maps() -> None:
    """Lin 1989 with means removed: 2 s_xy / (s_x² + s_y²), by another road."""
    maps = rollout(drawn(1))
    other = 0.7 * maps + 0.3 * rollout(drawn(2, contrast=1.0))
    own, reference = ((each - each.mean(0)).flatten().numpy() for each in (maps, other))
    covariance = (own * reference).mean()
    expected = 2 * covariance / (own.var() + reference.var())
    assert attention_score(maps, other) == pytest.approx(expected, rel=1e-12)


def test_direction_is_the_correlation_of_centred_maps() -> None:
    maps, reference = rollout(drawn(1)), rollout(drawn(1)) + 0.5 * rollout(drawn(2))
    own, other = ((each - each.mean(0)).flatten().numpy() for each in (maps, reference))
    expected = pearsonr(own, other).statistic
    assert agreement(maps, reference).direction == pytest.approx(expected, rel=1e-12)


# Entropy


def test_entropy_of_uniform_one_hot_and_half() -> None:
    assert relative_entropy(uniform()) == pytest.approx(1, abs=1e-12)
    identity = torch.eye(TOKENS, dtype=torch.float64).expand(3, IMAGES, 2, -1, -1)
    assert relative_entropy(identity) == 0
    two = torch.zeros(1, 1, 1, TOKENS, TOKENS)
    two[..., :2] = 0.5
    assert relative_entropy(two) == pytest.approx(math.log(2) / math.log(TOKENS), rel=1e-6)


# Distance


def test_distance_of_identity_neighbours_and_the_class_token() -> None:
    identity = torch.eye(TOKENS).expand(2, 5, 3, -1, -1)
    assert torch.equal(attention_distance(identity, GRID), torch.zeros(2, 3))
    beside = torch.zeros(1, 1, 1, TOKENS, TOKENS)
    for token in range(12):
        row, column = divmod(token, 4)
        beside[..., 1 + token, 1 + row * 4 + (column ^ 1)] = 0.25  # its partner to the side
        beside[..., 1 + token, 0] = 0.75  # the class token has no place
    beside[..., 0, 0] = 1
    assert float(attention_distance(beside, GRID)) == pytest.approx(1, abs=1e-6)
    at_class = torch.zeros(1, 1, 1, TOKENS, TOKENS)
    at_class[..., 0] = 1
    assert float(attention_distance(at_class, GRID)) == 0


def test_distance_to_the_corner_of_a_grid() -> None:
    corner = torch.zeros(1, 1, 1, TOKENS, TOKENS)
    corner[..., 1] = 1
    expected = sum(math.hypot(row, column) for row in range(3) for column in range(4)) / 12
    assert float(attention_distance(corner, GRID)) == pytest.approx(expected, rel=1e-6)


def test_distance_of_uniform_attention() -> None:
    """On a line of n tokens the mean over all pairs is (n² - 1)/(3n)."""
    for count in (2, 5, 49):
        assert uniform_distance((1, count)) == pytest.approx(
            (count**2 - 1) / (3 * count), rel=1e-12
        )
    found = attention_distance(uniform(), GRID)
    assert found.shape == (3, 2)
    torch.testing.assert_close(found, torch.full_like(found, uniform_distance(GRID)))


def test_distance_of_a_large_uniform_grid_is_that_of_a_square() -> None:
    """Two points of a unit square: (2 + √2 + 5 asinh 1)/15 = 0.5214; a grid differs by 1/n²."""
    limit = (2 + math.sqrt(2) + 5 * math.asinh(1)) / 15
    assert uniform_distance((40, 40)) / 40 == pytest.approx(limit, rel=2e-3)


# Refusals


@pytest.mark.parametrize(
    ("attention", "told"),
    [
        (torch.ones(2, 3, 4, 4), r"must be \(depth, images, heads, tokens, tokens\)"),
        (torch.ones(1, 2, 3, 4, 5), r"got \(1, 2, 3, 4, 5\)"),
        (torch.ones(1, 2, 3, 4, 4), "a row is off by 3"),
        (torch.full((1, 2, 3, 4, 4), torch.nan), "after softmax"),
        (torch.tensor([1.5, -0.5, 0.0]).expand(1, 2, 3, 3, 3), "lowest value is -0.5"),
        (torch.ones(1, 2, 3, 4, 4, dtype=torch.int64), "floating point; got torch.int64"),
    ],
)
def test_what_is_no_attention_is_refused(attention: Tensor, told: str) -> None:
    for figure in (rollout, relative_entropy, lambda each: attention_distance(each, (1, 3))):
        with pytest.raises(InputError, match=told):
            figure(attention)


def test_maps_of_other_images_and_other_grids_are_refused() -> None:
    maps = rollout(drawn(1))
    for figure in (attention_score, agreement):
        with pytest.raises(InputError, match=r"got \(40, 12\) and \(39, 12\)"):
            figure(maps, maps[1:])
        with pytest.raises(InputError, match="two or more images"):
            figure(maps[:1], maps[:1])
    with pytest.raises(InputError, match="3 x 3 has 9 image tokens; got attention over 12"):
        attention_distance(drawn(1), (3, 3))
