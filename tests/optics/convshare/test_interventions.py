"""What blanking tokens and taking attention away do, on models that one sees through."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from optics.convshare import ConvShareConfig, ConvShareViT
from optics.convshare.interventions import Interference, deletion, interfering
from optics.errors import InputError

IMAGES, TOKENS = 200, 16


def brightest(images: Tensor) -> Tensor:
    """Return as logits the mean of every patch: the answer is the brightest token."""
    return nn.functional.avg_pool2d(images, 2).flatten(1)


@pytest.fixture(scope="module")
def spots() -> tuple[Tensor, Tensor]:
    """Return noise between 0 and 0.1 with one token of 1 or more, and which token it is."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(TOKENS, (IMAGES,), generator=generator)
    patches = 0.1 * torch.rand(IMAGES, TOKENS, generator=generator)
    patches[torch.arange(IMAGES), labels] += 1
    images = patches.view(IMAGES, 1, 4, 4).repeat_interleave(2, 2).repeat_interleave(2, 3)
    return images, labels


def blanking(spots: tuple[Tensor, Tensor], maps: Tensor, share: float = 0.25, seed: int = 2):  # type: ignore[no-untyped-def]
    generator = torch.Generator().manual_seed(seed)
    return deletion(brightest, *spots, maps, patch=2, share=share, generator=generator)


def test_attention_to_what_answers_rest_on_costs_all_of_them(spots: tuple[Tensor, Tensor]) -> None:
    found = blanking(spots, brightest(spots[0]))
    assert (found.none, found.most, found.least) == (1, 0, 1)
    # A random quarter of the tokens holds the spot in a quarter of the images.
    assert found.random == pytest.approx(0.75, abs=3 * (0.75 * 0.25 / IMAGES) ** 0.5)
    assert found.gap == found.random


def test_attention_to_anything_else_costs_nothing(spots: tuple[Tensor, Tensor]) -> None:
    found = blanking(spots, -brightest(spots[0]))
    assert (found.most, found.least) == (1, 0)


def test_uniform_attention_has_no_gap(spots: tuple[Tensor, Tensor]) -> None:
    found = blanking(spots, torch.full((IMAGES, TOKENS), 1 / TOKENS))
    assert found.most == found.random == found.least < 1
    assert found.gap == 0


def test_draws_come_from_the_generator_alone(spots: tuple[Tensor, Tensor]) -> None:
    maps = torch.full((IMAGES, TOKENS), 1 / TOKENS)
    assert blanking(spots, maps) == blanking(spots, maps)
    assert blanking(spots, maps) != blanking(spots, maps, seed=3)


def test_images_are_left_as_they_are_and_blanks_are_whole_tokens() -> None:
    seen = []
    images = torch.rand(1, 2, 4, 6, generator=torch.Generator().manual_seed(1)) + 1
    before = images.clone()

    def note(blanked: Tensor) -> Tensor:
        seen.append(blanked.clone())
        return torch.zeros(1, 2)

    maps = torch.tensor([[1.0, 6, 2, 3, 5, 4]])  # two rows of three tokens
    deletion(note, images, torch.zeros(1), maps, patch=2, share=0.5, blank=-7.0,
             generator=torch.Generator())  # fmt: skip
    assert torch.equal(images, before)
    assert torch.equal(seen[0], images)
    expected = images.clone()
    expected[:, :, 0:2, 2:4] = -7  # 6
    expected[:, :, 2:4, 2:6] = -7  # 5 and 4
    assert torch.equal(seen[1], expected)


def test_refusals_of_deletion(spots: tuple[Tensor, Tensor]) -> None:
    maps = brightest(spots[0])
    with pytest.raises(InputError, match=r"need maps of shape \(200, 4 x 4\); got \(200, 15\)"):
        blanking(spots, maps[:, 1:])
    for share in (0.0, 0.01, 1.0):
        with pytest.raises(InputError, match="at least one of 16 tokens and leave one"):
            blanking(spots, maps, share)


# Interference


def model(**changes: object) -> ConvShareViT:
    config = ConvShareConfig(**{**CONFIG_FIELDS, **changes})  # type: ignore[arg-type]
    made = ConvShareViT(config, torch.Generator().manual_seed(4)).eval()
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if "qkv" in name and name.endswith("weight"):
                parameter.mul_(3)  # sharp enough that attention matters
    return made


CONFIG_FIELDS = {"image": 8, "patch": 2, "map": (4, 4), "depth": 2, "heads": 2, "classes": 5}
PICTURES = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(5))


@torch.no_grad()
def answers(vit: ConvShareViT, images: Tensor, how: Interference | None = None) -> Tensor:
    if how is None:
        return vit(images)  # type: ignore[no-any-return]
    with interfering(vit, how):
        return vit(images)  # type: ignore[no-any-return]


@pytest.mark.parametrize("mixing", ["linear", "shared-valid", "unshared-same"])
def test_answers_change_within_the_block_and_return_after_it(mixing: str) -> None:
    vit = model(qkv=mixing)
    before = answers(vit, PICTURES)
    for how in ("another image", "evenly"):
        changed = answers(vit, PICTURES, how)
        assert float((changed - before).abs().max()) > 1e-3
        assert torch.equal(answers(vit, PICTURES), before)


def test_evenly_is_uniform_attention() -> None:
    vit = model()
    with interfering(vit, "evenly"), torch.no_grad():
        torch.testing.assert_close(vit.attention(PICTURES), torch.full((2, 6, 2, 17, 17), 1 / 17))


def test_the_attention_of_another_image_is_that_of_the_next_one() -> None:
    vit = model(depth=1)
    with torch.no_grad():
        own = vit.attention(PICTURES)
        with interfering(vit, "another image"):
            torch.testing.assert_close(vit.attention(PICTURES), own.roll(-1, 1))


def test_interference_with_equal_images_changes_nothing() -> None:
    vit, equal = model(), PICTURES[:1].expand(4, -1, -1, -1)
    torch.testing.assert_close(answers(vit, equal, "another image"), answers(vit, equal))


def test_a_model_that_attends_evenly_loses_nothing() -> None:
    vit = model()
    with torch.no_grad():
        for block in vit.blocks:
            block.attn.qkv.weight[:16] = 0  # queries; biases are 0
    for how in ("another image", "evenly"):
        torch.testing.assert_close(answers(vit, PICTURES, how), answers(vit, PICTURES))


def test_an_error_within_the_block_leaves_the_model_as_it_was() -> None:
    vit = model()
    before = answers(vit, PICTURES)
    with pytest.raises(InputError), interfering(vit, "evenly"):
        vit(PICTURES[:, :, :4])
    assert torch.equal(answers(vit, PICTURES), before)


def test_models_without_attention_are_refused() -> None:
    refused = partial(pytest.raises, InputError, match="no attention to interfere with")
    with refused(), interfering(nn.Linear(2, 2), "evenly"):
        pass
