"""The CNN's surgery against its masks, and the table on a few digits."""

import pytest
import torch
from torch.nn import functional

from partition.cnn import CnnConfig, SmallCnn, channel_importance, keep_channels, keep_cnn_outputs
from partition.compare import compare, markdown, nearest_size
from partition.config import scaled
from partition.cost import mlp_cost, vit_cost
from partition.data import open_data
from partition.errors import InputError
from partition.pipeline import run
from partition.recipe import DataSpec
from partition.split_cnn import cnn_of_size
from tests.partition.small import TINY, counted_macs, generator
from tests.partition.test_run import small

CONFIG = CnnConfig(image=8, channels=1, widths=(4, 6, 5), strides=(2, 1, 2), classes=4)


def _model():
    model = SmallCnn(CONFIG, generator(0))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator(1)), alpha=0.2)
    return model.eval()


def _images(count):
    return torch.randn(count, 1, 8, 8, generator=generator(2))


def test_costs_of_a_cnn_are_counted():
    assert CONFIG.parameters == sum(parameter.numel() for parameter in _model().parameters())
    assert CONFIG.macs == counted_macs(_model(), 1, 8)


def test_masked_and_sliced_channels_give_the_same_logits():
    kept = [[0, 3], [1, 2, 5], [0, 1, 4]]
    masks = {}
    for layer, (chosen, width) in enumerate(zip(kept, CONFIG.widths)):
        masks[layer] = torch.zeros(1, width)
        masks[layer][0, chosen] = 1
    sliced = keep_channels(_model(), kept)
    assert sliced.config.widths == (2, 3, 3)
    torch.testing.assert_close(
        sliced(_images(5)), _model()(_images(5), masks), rtol=1e-5, atol=1e-5
    )
    whole = keep_channels(_model(), [range(width) for width in CONFIG.widths])
    torch.testing.assert_close(whole(_images(5)), _model()(_images(5)), rtol=0, atol=1e-6)


@torch.no_grad()
def test_channel_importance_is_the_divergence_without_the_channel():
    scores = channel_importance(_model(), _images(3))
    kept = [list(range(width)) for width in CONFIG.widths]
    kept[1].remove(4)
    without = keep_channels(_model(), kept)(_images(3)).log_softmax(-1)
    expected = functional.kl_div(without, _model()(_images(3)).softmax(-1), reduction="sum")
    assert float(scores[1][4]) == pytest.approx(float(expected), rel=1e-3)


def test_outputs_are_taken_and_the_rest_summed():
    part = keep_cnn_outputs(_model(), [2, 0], other=True)
    assert part.config.classes == 3
    torch.testing.assert_close(part(_images(2))[:, :2], _model()(_images(2))[:, [2, 0]])


def test_a_cnn_is_chosen_by_size():
    data = open_data(DataSpec())
    config = cnn_of_size(data, 96_154)
    assert abs(config.parameters / 96_154 - 1) < 0.05
    half = config.scaled(0.5, 3)
    assert half.widths == tuple(round(width / 2) for width in config.widths)
    with pytest.raises(InputError, match="a stride for every width"):
        CnnConfig(image=8, channels=1, widths=(3, 4), strides=(1,), classes=2)


def test_the_nearest_size_is_found():
    assert nearest_size(TINY, vit_cost(scaled(TINY, 1)).bytes + 10) == scaled(TINY, 1)
    assert nearest_size(TINY, 10**9) == TINY


def test_the_table_has_every_model_on_the_same_data(tmp_path):
    folder, work = tmp_path / "a", tmp_path / "work"
    manifest = run(small(), folder, work_dir=work)

    def latency(shapes, fusion_widths):
        cost = [s.macs if isinstance(s, CnnConfig) else vit_cost(s).macs for s in shapes]
        return (max(cost) + mlp_cost(fusion_widths)["macs"]) / 1e6

    rows = compare(folder, work, latency=latency)
    assert [row.parts for row in rows] == [1, 1, 3, 1, 3]
    assert rows[0].accuracy == manifest.unsplit.accuracy
    assert rows[2].accuracy == manifest.fusion.accuracy
    assert rows[2].latency_s == (rows[2].part_macs + manifest.fusion.macs) / 1e6
    sizes = {row.name: row.total_mib for row in rows}
    assert sizes["3 ViT parts"] > 3 * 0.9 * min(part.bytes for part in manifest.parts) / 2**20
    for row in rows:
        assert 0 <= row.worst_class_accuracy <= row.accuracy <= 1
    lines = markdown(rows).splitlines()
    assert len(lines) == 7
    assert all(line.count("|") == 9 for line in lines)
    assert compare(folder, work)[0].latency_s is None
