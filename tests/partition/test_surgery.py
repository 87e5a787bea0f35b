"""Removing units by mask and by slicing is the same; removing nothing changes nothing.

Tolerances are a few float32 roundings of logits of size about one.
"""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from partition.errors import InputError
from partition.model import VisionTransformer
from partition.surgery import cut, keep_attention, keep_mlp, keep_outputs, keep_residual
from tests.partition.small import KINDS, TINY, generator, images, masks_for, tiny_model

CONFIGS = [
    {},
    {"distilled": True},
    {"stem": (5,), "patch": 1, "heads": 3, "head_width": 4},
    *KINDS,
]


def _choice(draw: torch.Generator, size: int, count: int) -> list[int]:
    return sorted(torch.randperm(size, generator=draw)[:count].tolist())


@pytest.mark.parametrize("changes", CONFIGS)
def test_pruning_nothing_keeps_the_logits(changes):
    model = tiny_model(**changes)
    config = model.config
    whole = keep_residual(model, range(config.width))
    whole = keep_attention(whole, [[range(config.head_width)] * config.heads] * config.depth)
    whole = keep_mlp(whole, [range(config.mlp_width)] * config.depth)
    whole = keep_outputs(whole, range(config.classes), other=False)
    assert whole.config == config
    torch.testing.assert_close(whole(images(6)), model(images(6)), rtol=0, atol=1e-6)
    masks = masks_for(
        model,
        residual=range(config.width),
        attention=[[range(config.head_width)] * config.heads] * config.depth,
        mlp=[range(config.mlp_width)] * config.depth,
    )
    torch.testing.assert_close(model(images(6), masks), model(images(6)), rtol=0, atol=2e-6)


@pytest.mark.parametrize("changes", CONFIGS)
@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), data=st.data())
def test_a_mask_and_a_slice_give_the_same_logits(changes, seed, data):
    draw = generator(seed)
    model = tiny_model(seed, **changes)
    config = model.config
    width = data.draw(st.integers(2, config.width))
    heads = data.draw(st.integers(1, config.heads))
    size = data.draw(st.integers(1, config.head_width))
    neurons = data.draw(st.integers(1, config.mlp_width))
    residual = _choice(draw, config.width, width)
    attention = []
    for _ in range(config.depth):
        staying = _choice(draw, config.heads, heads)
        attention.append([
            _choice(draw, config.head_width, size) if head in staying else []
            for head in range(config.heads)
        ])  # fmt: skip
    mlp = [_choice(draw, config.mlp_width, neurons) for _ in range(config.depth)]
    smaller = keep_mlp(keep_attention(keep_residual(model, residual), attention), mlp)
    masks = masks_for(model, residual=residual, attention=attention, mlp=mlp)
    assert (smaller.config.width, smaller.config.heads) == (width, heads)
    assert (smaller.config.head_width, smaller.config.mlp_width) == (size, neurons)
    # A norm over two features that are nearly equal would make rounding a thousand times larger.
    for module in (*model.modules(), *smaller.modules()):
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = 0.01
    expected = model(images(3, seed=seed), masks)
    torch.testing.assert_close(smaller(images(3, seed=seed)), expected, rtol=0, atol=1e-5)


def test_the_sliced_model_is_a_plain_one_without_masks():
    smaller = keep_residual(tiny_model(), [0, 3, 5])
    plain = VisionTransformer(TINY.with_(width=3))
    plain.load_state_dict(smaller.state_dict())
    assert torch.equal(plain(images(2)), smaller(images(2)))


def test_cut_keeps_the_highest_scores_of_every_head_and_block():
    model = tiny_model()
    target = TINY.with_(width=4, heads=1, head_width=2, mlp_width=3)
    scores = torch.zeros(2, 12, dtype=torch.float64)
    scores[0, [7, 9]] = 5.0  # head 1 of block 0
    scores[1, [2, 4]] = 5.0  # head 0 of block 1
    smaller = cut(model, "attention", scores, target)
    expected = keep_attention(model, [[[], [1, 3]], [[2, 4], []]])
    assert torch.equal(smaller(images(2)), expected(images(2)))
    ramp = torch.arange(16.0).repeat(2, 1)
    expected = keep_mlp(model, [[13, 14, 15]] * 2)
    assert torch.equal(cut(model, "mlp", ramp, target)(images(2)), expected(images(2)))


def test_outputs_of_equal_foreign_logits_sum_to_other():
    model = tiny_model()
    with torch.no_grad():
        model.head.weight[2:] = model.head.weight[2]
        model.head.bias[2:] = model.head.bias[2]
    whole = model(images(5)).softmax(-1)
    part = keep_outputs(model, [1, 0], other=True)(images(5)).softmax(-1)
    expected = torch.stack((whole[:, 1], whole[:, 0], whole[:, 2:].sum(-1)), -1)
    torch.testing.assert_close(part, expected)


@pytest.mark.parametrize(
    "mistake",
    [
        lambda model: keep_residual(model, []),
        lambda model: keep_residual(model, [0, 0]),
        lambda model: keep_residual(model, [12]),
        lambda model: keep_attention(model, [[[0], [1, 2]]] * 2),
        lambda model: keep_attention(model, [[[0], [1]]]),
        lambda model: keep_mlp(model, [[0], [1, 2]]),
        lambda model: keep_outputs(model, [0, 1, 2, 3], other=True),
    ],
)
def test_impossible_cuts_are_refused(mistake):
    with pytest.raises(InputError):
        mistake(tiny_model())
