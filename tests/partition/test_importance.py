"""Batched importance against its definition, unit by unit, with the sliced model."""

import pytest
import torch
from torch.nn import functional

from partition import importance as measures
from partition.config import preset
from partition.errors import InputError
from partition.importance import (
    importance,
    kl_importance,
    magnitude_importance,
    taylor_importance,
    taylor_kl_importance,
    unit_shape,
)
from partition.model import VisionTransformer
from partition.recipe import STAGES
from partition.surgery import keep_mlp, keep_residual
from tests.partition.small import KINDS, generator, images, masks_for, tiny_model


def _without(model, stage, layer, unit):
    """Logits without one unit, by a mask made by hand from the list of units that stay."""
    config = model.config
    if stage == "residual":
        return keep_residual(model, [u for u in range(config.width) if u != unit])(images(4))
    if stage == "mlp":
        kept = [list(range(config.mlp_width)) for _ in range(config.depth)]
        kept[layer].remove(unit)
        return model(images(4), masks_for(model, mlp=kept))
    head, dimension = divmod(unit, config.head_width)
    kept = [[list(range(config.head_width)) for _ in range(config.heads)]
            for _ in range(config.depth)]  # fmt: skip
    kept[layer][head].remove(dimension)
    return model(images(4), masks_for(model, attention=kept))


@pytest.mark.parametrize("changes", [{}, {"distilled": True}, *KINDS[-2:]])
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("at_once", [1, 3, 1000])
def test_kl_by_batches_is_the_definition_unit_by_unit(stage, at_once, changes, monkeypatch):
    model = tiny_model(**changes)
    monkeypatch.setattr(measures, "BATCH_TOKENS", at_once * 4 * model.config.tokens)
    scores = kl_importance(model, images(4), stage)
    original = model(images(4)).softmax(-1)
    for layer in range(unit_shape(model, stage)[0]):
        for unit in range(unit_shape(model, stage)[1]):
            masked = _without(model, stage, layer, unit).log_softmax(-1)
            expected = functional.kl_div(masked, original, reduction="sum")
            # float32 logits of size one: their roundings, squared away by KL near zero
            assert float(scores[layer, unit]) == pytest.approx(expected.item(), rel=1e-3, abs=2e-6)


@pytest.mark.parametrize("stage", STAGES)
def test_taylor_is_the_slope_of_the_loss_along_the_mask(stage):
    model = tiny_model().double()
    inputs = images(3).double()
    targets = torch.eye(4, dtype=torch.float64)[:3]

    def loss(layer, unit, factor):
        masks = torch.ones(3, unit_shape(model, stage)[1], dtype=torch.float64)
        masks[:, unit] = factor
        logits = model(inputs, measures.unit_masks(model, stage, layer, masks))
        return -(targets * logits.log_softmax(-1)).sum(-1)

    scores = taylor_importance(model, inputs, targets, stage)
    layers, units = unit_shape(model, stage)
    for layer in range(layers):
        for unit in range(0, units, 3):
            slope = (loss(layer, unit, 1 + 1e-4) - loss(layer, unit, 1 - 1e-4)) / 2e-4
            # central differences of 1e-4 in float64; the mask's own gradient is float32
            assert float(scores[layer, unit]) == pytest.approx(
                slope.square().sum().item(), rel=1e-4, abs=1e-9
            )


@pytest.mark.parametrize("stage", ["attention", "mlp"])  # a channel always moves the norms' mean
def test_a_dead_unit_is_last_by_every_informed_measure(stage):
    model = tiny_model()
    with torch.no_grad():
        for block in model.blocks:
            block.attn.qkv.weight.view(3, 12, 12)[:, 5] = 0
            block.attn.qkv.bias.view(3, 12)[:, 5] = 0
            block.attn.proj.weight[:, 5] = 0
            block.mlp.fc2.weight[:, 5] = 0
    targets = model(images(8)).softmax(-1).roll(1, 0).detach()
    for scores in (
        kl_importance(model, images(8), stage),
        taylor_importance(model, images(8), targets, stage),
    ):
        assert scores.argmin(1).tolist() == [5, 5]


def test_magnitude_of_a_neuron_is_the_norm_of_its_row_and_column():
    model = tiny_model()
    mlp = model.blocks[1].mlp
    expected = torch.cat((mlp.fc1.weight[3], mlp.fc1.bias[3:4], mlp.fc2.weight[:, 3])).norm()
    assert float(magnitude_importance(model, "mlp")[1, 3]) == pytest.approx(expected.item())


def test_magnitude_counts_exactly_the_weights_that_slicing_removes():
    model = tiny_model()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
    removed = sum(p.numel() for p in model.parameters()) - sum(
        p.numel() for p in keep_mlp(model, [range(1, 16)] * 2).parameters()
    )
    assert float(magnitude_importance(model, "mlp").square()[:, 0].sum()) == removed


def test_random_is_a_function_of_its_generator_and_unknown_measures_are_refused():
    model = tiny_model()
    targets = torch.ones(4, 4) / 4
    draws = [
        importance(model, images(4), targets, "mlp", "random", generator(s)) for s in (1, 1, 2)
    ]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    with pytest.raises(InputError, match="kl, taylor, magnitude, random, taylor-kl, not 'entropy'"):
        importance(model, images(4), targets, "mlp", "entropy", generator(0))


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("kept", [None, 1, 5, 11])
def test_taylor_with_exact_divergences_reorders_the_units_that_count(stage, kept):
    model, targets = tiny_model(), torch.eye(4)[:4]
    taylor = taylor_importance(model, images(4), targets, stage)
    exact = kl_importance(model, images(4), stage)
    seconds, done = [], []
    mixed = taylor_kl_importance(
        model, images(4), targets, stage, kept=kept, share=0.25, report=done.append,
        expect=seconds.append,
    )  # fmt: skip
    units = unit_shape(model, stage)[1]
    count = -(-units // 4)
    first = 0 if kept is None else min(max(0, kept - -(-count // 2)), units - count)
    for layer, row in enumerate(taylor):
        ranked = row.argsort(descending=True, stable=True)
        middle = ranked[first : first + count]
        by_divergence = middle[exact[layer, middle].argsort(descending=True, stable=True)]
        expected = torch.cat((ranked[:first], by_divergence, ranked[first + count :]))
        assert torch.equal(mixed[layer].argsort(descending=True, stable=True), expected)
        assert torch.equal(mixed[layer].sort().values, row.sort().values)
    assert len(seconds) == 1
    assert seconds[0] > 0
    assert done[-1] == 1.0
    assert done == sorted(done)


def test_images_in_groups_add_up(monkeypatch):
    model, targets = tiny_model(), torch.eye(4)[[0, 1, 2, 3, 0]]
    inputs = images(5)
    whole = [
        (kl_importance(model, inputs, stage), taylor_importance(model, inputs, targets, stage))
        for stage in STAGES
    ]
    monkeypatch.setattr(measures, "BATCH_TOKENS", 2 * model.config.tokens)
    for stage, (divergence, taylor) in zip(STAGES, whole):
        torch.testing.assert_close(
            kl_importance(model, inputs, stage), divergence, rtol=1e-3, atol=2e-6
        )
        grouped = taylor_importance(model, inputs, targets, stage)
        # gradients in float32, of batches of other sizes
        torch.testing.assert_close(grouped, taylor, rtol=1e-5, atol=1e-9)


def test_vit_b_has_as_many_units_as_its_shape_says():
    """768 residual channels; 768 attention dimensions and 3,072 neurons in 12 blocks."""
    with torch.device("meta"):
        model = VisionTransformer(preset("vit_base_patch16_224"))
    units = [layers * count for layers, count in (unit_shape(model, stage) for stage in STAGES)]
    assert units == [768, 12 * 768, 12 * 3072]
    assert sum(units) == 46_848
