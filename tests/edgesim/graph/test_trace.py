"""What tracing makes of modules beyond the reference models, and of those it cannot follow."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from edgesim.common.errors import InputError
from edgesim.graph import ConvGeometry, Graph, MatmulGeometry, OpKind
from edgesim.graph.trace import trace

X = torch.zeros(2, 3, 8)
IMAGE = torch.zeros(2, 4, 9, 7)


class Does(nn.Module):
    """A module whose forward is ``does(self, *inputs)``."""

    def __init__(self, does: Callable[..., Any], **parts: Any) -> None:
        super().__init__()
        self.does = does
        for name, part in parts.items():
            if isinstance(part, Tensor) and not isinstance(part, nn.Parameter):
                self.register_buffer(name, part)
            else:
                setattr(self, name, part)

    def forward(self, *inputs: Any, **named: Any) -> Any:
        return self.does(self, *inputs, **named)


def kinds(graph: Graph) -> list[str]:
    return [op.kind.value for op in graph]


def counted(module: nn.Module, *inputs: Tensor) -> int:
    """Multiply-accumulates of the batch, as torch counts them on ``meta`` tensors."""
    module = module.to("meta").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(*(tensor.to("meta") for tensor in inputs))
    return counter.get_total_flops() // 2


# Counts


@pytest.mark.parametrize(
    ("module", "example", "macs", "params"),
    [
        (nn.Linear(8, 5), X, 3 * 8 * 5, 45),
        (nn.Conv2d(4, 6, 3, 2, 1), IMAGE, 6 * 5 * 4 * 4 * 9, 6 * 36 + 6),
        (nn.Conv2d(4, 8, 3, groups=4, bias=False), IMAGE, 8 * 7 * 5 * 9, 72),
        (nn.Conv2d(4, 4, 5, padding="same"), IMAGE, 4 * 63 * 100, 404),
        (nn.Conv1d(3, 6, 3, dilation=2), X, 6 * 4 * 9, 60),
        (nn.Conv3d(4, 2, 3), torch.zeros(2, 4, 5, 5, 5), 2 * 27 * 4 * 27, 218),
        # Every input element meets every weight of its channel.
        (nn.ConvTranspose2d(4, 6, 3, 2), IMAGE, 4 * 63 * 6 * 9, 222),
        (nn.ConvTranspose2d(4, 6, 3, 2, groups=2), IMAGE, 4 * 63 * 3 * 9, 114),
        (nn.Bilinear(8, 8, 3), (X, X), 3 * 3 * 64, 195),
        # Each gate: 5 x (8 + 5), in 3 steps.
        (nn.LSTM(8, 5, batch_first=True), X, 3 * 4 * 5 * 13, 4 * 5 * 13 + 40),
        (nn.GRU(8, 5, bidirectional=True, batch_first=True), X, 6 * 3 * 5 * 13, 6 * 5 * 13 + 60),
        (nn.LSTMCell(8, 5), X[:, 0], 4 * 5 * 13, 4 * 5 * 13 + 40),
        (nn.Embedding(11, 4), torch.zeros(2, 3, dtype=torch.long), 0, 44),
        (nn.GroupNorm(2, 4), IMAGE, 0, 8),
        (nn.PReLU(), X, 0, 1),
        (nn.Upsample(scale_factor=2), IMAGE, 0, 0),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_single_layers(module: nn.Module, example: Any, macs: int, params: int) -> None:
    graph = trace(module, example)
    assert (graph.macs, graph.params) == (macs, params)
    assert len(graph) == 1


@pytest.mark.parametrize("batch", [1, 2, 5])
@pytest.mark.parametrize("first", [True, False])
def test_multi_head_attention_and_encoder_layers(batch: int, first: bool) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=first)
    example = torch.zeros(batch, 3, 8) if first else torch.zeros(3, batch, 8)
    graph = trace(layer, example, batch=batch)
    assert graph.macs * batch == counted(layer, example)
    assert graph.params == sum(p.numel() for p in layer.parameters())
    assert graph.input_shape == (3, 8)
    assert graph["self_attn.qk"].geometry == MatmulGeometry(rows=3, inner=4, columns=3, count=2)


def test_cross_attention_takes_its_part_of_a_packed_weight() -> None:
    module = Does(
        lambda m, x, y: m.mha(x, y, y, need_weights=False)[0],
        mha=nn.MultiheadAttention(8, 2, batch_first=True),
    )
    graph = trace(module, (X, torch.zeros(2, 7, 8)))
    assert graph.params == sum(p.numel() for p in module.parameters())
    assert [op.params for op in graph if op.params] == [72, 144, 72]
    assert graph.macs * 2 == counted(module, X, torch.zeros(2, 7, 8))
    assert graph.input_elements == 3 * 8 + 7 * 8


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("bnd,bmd->bnm", ((2, 3, 4), (2, 5, 4))),
        ("bhqd,bhkd->bhqk", ((2, 3, 4, 5), (2, 3, 6, 5))),
        ("bij,bjk,bkl->bil", ((2, 3, 4), (2, 4, 5), (2, 5, 6))),
        ("...d,de->...e", ((2, 3, 4), (4, 5))),
    ],
)
def test_einsum_counts_as_torch_does(equation: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    module = Does(lambda m, *tensors: torch.einsum(equation, *tensors))
    example = tuple(torch.zeros(shape) for shape in shapes)
    graph = trace(module, example, batch=2)
    assert graph.macs * 2 == counted(module, *example)


def test_grouped_queries_share_keys() -> None:
    module = Does(lambda m, q, k: functional.scaled_dot_product_attention(q, k, k, enable_gqa=True))
    graph = trace(module, (torch.zeros(2, 4, 5, 8), torch.zeros(2, 2, 7, 8)))
    # 4 heads, 5 queries, 7 keys, width 8, twice.
    assert graph.macs == 2 * 4 * 5 * 7 * 8


@pytest.mark.parametrize("batch", [1, 2, 6])
def test_counts_are_of_one_sample_whatever_the_batch(batch: int) -> None:
    module = Does(
        lambda m, x: m.head(m.norm(functional.gelu(m.conv(x))).flatten(2).mean(-1)),
        conv=nn.Conv2d(4, 6, 3),
        norm=nn.BatchNorm2d(6),
        head=nn.Linear(6, 2),
    )
    one, many = trace(module, IMAGE[:1]), trace(module, torch.zeros(batch, 4, 9, 7))
    assert list(many) == list(one)
    assert many.cut_elements == one.cut_elements


# Parameters


def test_shared_parameters_count_once() -> None:
    shared = nn.Linear(8, 8)
    graph = trace(nn.Sequential(shared, nn.ReLU(), shared), X)
    assert [op.params for op in graph] == [72, 0, 0]
    assert graph.macs == 2 * 3 * 64
    assert len({op.name for op in graph}) == 3


def test_tied_weights_under_two_names_count_once() -> None:
    first, second = nn.Linear(8, 8), nn.Linear(8, 8)
    second.weight = first.weight
    assert trace(nn.Sequential(first, second), X).params == 64 + 8 + 8


def test_buffers_are_no_parameters_but_frozen_weights_are() -> None:
    shift = Does(lambda m, x: x + m.shift, shift=torch.zeros(8))
    assert trace(shift, X).params == 0
    frozen = Does(lambda m, x: functional.linear(x, m.weight), weight=torch.zeros(5, 8))
    assert trace(frozen, X).params == 40


def test_parameters_that_nobody_reads_do_not_count() -> None:
    module = Does(lambda m, x: m.used(x), used=nn.Linear(8, 2), unused=nn.Linear(8, 90))
    assert trace(module, X).params == 18


def test_what_depends_on_weights_alone_is_made_beforehand() -> None:
    module = Does(
        lambda m, x: x @ (m.weight.exp() * 2).t() + m.table[m.index].sum(0),
        weight=nn.Parameter(torch.zeros(5, 8)),
        table=nn.Parameter(torch.zeros(4, 5)),
        index=torch.tensor([0, 1, 3]),
    )
    graph = trace(module, X)
    assert kinds(graph) == ["linear", "elementwise"]
    assert [op.params for op in graph] == [40, 20]


def test_learned_queries_are_work_for_every_sample() -> None:
    module = Does(
        lambda m, x: m.proj(m.queries.expand(len(x), -1, -1)) @ x.transpose(1, 2),
        queries=nn.Parameter(torch.zeros(1, 5, 6)),
        proj=nn.Linear(6, 8),
    )
    for batch in (1, 2, 3):
        graph = trace(module, torch.zeros(batch, 3, 8))
        assert [op.macs for op in graph] == [5 * 6 * 8, 5 * 8 * 3]
        assert graph.input_elements == graph.cut_elements[1] - 40 == 24


# Structure


def test_geometry_of_a_convolution() -> None:
    graph = trace(nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 0), groups=2), IMAGE)
    (op,) = graph
    assert op.geometry == ConvGeometry(
        in_channels=4, out_channels=6, kernel=(3, 2), stride=(2, 1), padding=(1, 0),
        dilation=(1, 1), groups=2, in_size=(9, 7), out_size=(5, 6),
    )  # fmt: skip
    assert op.macs == 6 * 5 * 6 * 2 * 6


def test_names_are_module_paths() -> None:
    block = nn.Sequential(nn.Linear(8, 8), nn.GELU())
    module = Does(lambda m, x: torch.cat([m.body(x), x], -1).softmax(-1), body=nn.Sequential(block))
    graph = trace(module, X, name="mine")
    assert graph.name == "mine"
    assert [op.name for op in graph] == ["body.0.0", "body.0.1", "cat", "softmax"]
    assert kinds(graph) == ["linear", "transcendental", "memory", "softmax"]
    assert graph.edges == [("body.0.0", "body.0.1"), ("body.0.1", "cat"), ("cat", "softmax")]


def test_views_layout_and_dropout_are_free() -> None:
    module = Does(
        lambda m, x: m.drop(x.transpose(1, 2).contiguous().view(2, -1).unsqueeze(0) + 1).squeeze(),
        drop=nn.Dropout(0.5),
    )
    assert kinds(trace(module, X)) == ["elementwise"]


def test_dropout_that_always_drops_is_work() -> None:
    module = Does(lambda m, x: functional.dropout(x, 0.5))
    assert kinds(trace(module, X)) == ["elementwise"]


def test_a_part_whose_rest_is_thrown_away_makes_a_narrow_cut() -> None:
    module = Does(lambda m, x: m.head((x + 1)[:, 0]), head=nn.Linear(8, 2))
    graph = trace(module, X)
    assert kinds(graph) == ["elementwise", "memory", "linear"]
    assert graph.cut_elements == (24, 24, 8, 2)


def test_late_readers_of_the_input_keep_it_alive() -> None:
    graph = trace(Does(lambda m, x: x + x.exp().log()), X)
    assert graph.cut_elements == (24, 48, 48, 24)


def test_outputs_with_readers_leave_the_model_too() -> None:
    module = Does(
        lambda m, x: {"features": (f := m.body(x)), "answers": [m.head(f), None]},
        body=nn.Linear(8, 4),
        head=nn.Linear(4, 2),
    )
    graph = trace(module, X)
    assert graph.output_elements == 3 * 4 + 3 * 2
    assert graph.cut_elements == (24, 12, 18)


def test_results_that_nobody_reads_are_left_out() -> None:
    module = Does(lambda m, x: (m.unread(x), m.read(x))[1], read=nn.ReLU(), unread=nn.Linear(8, 8))
    assert kinds(trace(module, X)) == ["activation"]


def in_place(module: nn.Module, x: Tensor) -> Tensor:
    y = x * 2
    y.relu_()
    y[:, 0] = 0.0
    y += 1
    return y


def test_in_place_operators_come_after_each_other() -> None:
    graph = trace(Does(in_place), X)
    names = [op.name for op in graph]
    assert graph.edges == list(pairwise(names))
    assert kinds(graph)[:2] == ["elementwise", "activation"]
    assert graph.output_elements == 24


def wrapped(module: Any, x: Tensor) -> Tensor:
    with torch.no_grad():
        x = module.first(x)
    with torch.autocast("cpu"):
        x = module.second(x)
    return checkpoint(module.third, x.float(), use_reentrant=False)


def test_contexts_and_checkpoints_are_seen_through() -> None:
    module = Does(wrapped, first=nn.Linear(8, 4), second=nn.Linear(4, 6), third=nn.Linear(6, 2))
    graph = trace(module, X)
    assert [op.name for op in graph if op.macs] == ["first", "second", "third"]
    assert graph.params == sum(p.numel() for p in module.parameters())


def test_more_inputs_by_position_and_by_name() -> None:
    module = Does(
        lambda m, x, scale=1, *, mask=None, pair=None: x * scale * mask + pair["a"][0],
    )
    named = {"mask": X[:, :, :1], "pair": {"a": [X]}}
    graph = trace(module, {"x": X, "scale": 2, **named})
    assert graph.input_elements == 24 + 3 + 24
    assert kinds(graph) == ["elementwise"] * 3


def test_the_module_is_left_as_it_was() -> None:
    module = nn.Sequential(nn.LSTM(8, 4, batch_first=True), nn.Identity())
    module[1].eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    expected = module[0](X)[0]
    trace(Does(lambda m, x: m.body[0](x)[0], body=module), X)
    assert (module.training, module[0].training, module[1].training) == (True, True, False)
    assert torch.equal(module[0](X)[0], expected)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_batch_norm_is_traced_as_at_inference() -> None:
    module = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)).train()
    assert kinds(trace(module, IMAGE)) == ["conv", "batchnorm"]
    assert module[1].num_batches_tracked == 0


def test_weights_and_example_may_lie_on_different_devices() -> None:
    assert trace(nn.Linear(8, 2, device="meta"), X).macs == 48


# What cannot be traced


class Branches(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.sum() > 0:  # the line that is told
            return x
        return -x


class Loops(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        for _ in range(int(x[0, 0, 0])):  # the line that is told
            x = x + 1
        return x


class Chooses(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[x > 0] * 2  # the line that is told


class Condition(nn.Module):
    def forward(self, x: Tensor) -> Any:
        return torch.cond(x.sum() > 0, torch.sin, torch.cos, (x,))  # the line that is told


class Fails(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x @ x  # the line that is told


class Numpy(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.from_numpy(x.numpy())  # the line that is told


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Branches, "depends on the data"),
        (Loops, "depends on the data"),
        (Chooses, "depends on the data"),
        (Condition, "one piece or another"),
        (Fails, "RuntimeError"),
        (Numpy, "RuntimeError"),
    ],
)
def test_errors_name_file_and_line(
    kind: type[nn.Module], reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        trace(kind(), X)
    source = Path(__file__).read_text().splitlines()
    place = re.search(re.escape(__file__) + r":(\d+)", str(caught.value))
    assert place is not None
    line = source[int(place[1]) - 1]
    assert "the line that is told" in line
    assert int(place[1]) > kind.forward.__code__.co_firstlineno
    assert int(place[1]) <= kind.forward.__code__.co_firstlineno + 2
    assert capfd.readouterr() == ("", "")


@torch.library.custom_op("edgesim_tests::strange", mutates_args=())
def strange(x: Tensor) -> Tensor:
    return x.clone()


@strange.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


def test_operators_that_torch_does_not_have_are_named() -> None:
    with pytest.raises(InputError, match=r"edgesim_tests::strange.*none of PyTorch's own"):
        trace(Does(lambda m, x: strange(x)), X)


@pytest.mark.parametrize(
    ("module", "example", "message"),
    [
        (nn.Identity(), X, "computes nothing"),
        (lambda x: x, X, "expected a torch.nn.Module"),
        (nn.ReLU(), [1], "expected an example tensor"),
        (nn.ReLU(), (), "holds no tensor"),
        (nn.ReLU(), torch.zeros(0, 3), "at least one"),
        (
            nn.ReLU(),
            {"inputs": X},
            r"'forward' takes no 'inputs' \(did you mean 'input'\?\); it needs "
            "'input'$",
        ),
        (nn.ReLU(), {"pixels": X, "input": X}, "takes no 'pixels'; it takes input$"),
        (nn.ReLU(), (X, X), r"takes \(input\) in order, not 2 arguments$"),
        (nn.Bilinear(2, 2, 1), (X,), "needs 'input2'; give the inputs by name$"),
    ],
)
def test_bad_arguments(module: Any, example: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        trace(module, example)


def test_a_batch_that_the_example_does_not_have() -> None:
    with pytest.raises(InputError, match="holds 7 samples"):
        trace(nn.ReLU(), X, batch=7)


def test_kinds_of_common_operators() -> None:
    module = Does(
        lambda m, x: (
            functional.max_pool2d(x, 2),
            functional.interpolate(x, scale_factor=2, mode="bilinear"),
            functional.layer_norm(x, (7,)),
            functional.hardswish(x),
            torch.maximum(x, x + 1),
            x.clamp(0, 6),
            torch.roll(x, 1, 2),
            functional.pad(x, (1, 1)),
            x.log_softmax(1),
            x.topk(2).values,
            functional.pixel_shuffle(x, 2),
        )
    )
    assert kinds(trace(module, IMAGE)) == [
        "pool", "pool", "norm", "activation", "elementwise", "elementwise", "elementwise",
        "memory", "memory", "softmax", "memory", "memory",
    ]  # fmt: skip


def test_attention_kind_needs_two_activations() -> None:
    left = Does(lambda m, x: m.w @ x, w=nn.Parameter(torch.zeros(5, 3)))
    (op,) = trace(left, X)
    assert op.kind is OpKind.LINEAR
    assert op.geometry == MatmulGeometry(rows=8, inner=3, columns=5)
    heads = Does(lambda m, x: x @ m.w, w=nn.Parameter(torch.zeros(4, 8, 5)))
    (op,) = trace(heads, torch.zeros(2, 4, 3, 8))
    assert op.kind is OpKind.LINEAR
    assert op.geometry == MatmulGeometry(rows=3, inner=8, columns=5, count=4)


def test_work_on_weights_is_read_by_what_uses_it() -> None:
    module = Does(
        lambda m, x: x * m.proj(m.queries).softmax(-1),
        queries=nn.Parameter(torch.zeros(3, 6)),
        proj=nn.Linear(6, 8),
    )
    graph = trace(module, X)
    assert graph.edges == [("proj", "softmax"), ("softmax", "mul")]
    assert [op.input_elements for op in graph] == [0, 24, 48]
    assert graph.cut_elements == (24, 48, 48, 24)


class Reader(nn.Module):
    """An LSTM of which the sequence is read, and its last state where asked for."""

    def __init__(self, states: bool) -> None:
        super().__init__()
        self.lstm, self.states = nn.LSTM(6, 5, batch_first=True), states

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        steps, (hidden, _) = self.lstm(x)
        return (steps, hidden) if self.states else (steps,)


@pytest.mark.parametrize("batch", [1, 3])
def test_states_that_nothing_reads_are_no_output(batch: int) -> None:
    """Seven steps of five numbers leave the model, and five more where the state is returned."""
    for states, leaves in ((False, 7 * 5), (True, 7 * 5 + 5)):
        graph = trace(Reader(states), torch.zeros(batch, 7, 6), batch=batch)
        assert graph.output_elements == leaves
        assert graph.params == 4 * 5 * (6 + 5 + 2)
