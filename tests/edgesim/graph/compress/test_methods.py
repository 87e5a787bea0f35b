"""Methods that leave tokens out, against what their papers print and sums by hand."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from edgesim.common.errors import InputError
from edgesim.graph import Graph, OpKind, zoo
from edgesim.graph.compress import Compression, Tokens, compress
from edgesim.graph.compress.methods import fused
from edgesim.graph.trace import trace

DEIT_S = "deit_small_patch16_224"


def reduced(graph: Graph, **how: object) -> Graph:
    return compress(graph, Compression(tokens=Tokens(**how)))  # type: ignore[arg-type]


def test_mctf_cuts_what_its_code_computes() -> None:
    """2.60 G in table 1 of arXiv 2403.10030; 2.594 G in a trace of its code: 16 in 11 blocks."""
    plain = zoo.build(DEIT_S)
    cut = reduced(plain, method="mctf", remove=16, at=tuple(range(2, 13)))
    width, tokens, macs = 384, 197, 196 * 768 * 384 + 384 * 1000
    macs += 12 * tokens * width**2 + 2 * tokens**2 * width
    for _ in range(11):
        left = tokens - 16
        macs += 2 * tokens * width**2 + tokens**2 * width  # queries and keys, of all tokens
        macs += -(-tokens // 2) * (tokens // 2) * width  # every second with the others
        macs += 10 * left * width**2 + left**2 * width  # values, attention, and what follows
        tokens = left
    assert cut.macs == macs == pytest.approx(2.594e9, rel=1e-4)
    assert (cut.params, cut.output_elements) == (plain.params, 1000)
    assert cut["blocks.11.attn.av"].geometry == plain["blocks.11.attn.av"].geometry.__class__(
        rows=21, inner=21, columns=64, count=6
    )
    # What the fused tokens are read by: the second norm, and the sum after attention.
    assert cut.successors("blocks.1.fuse") == [
        "blocks.1.norm1.fused", "blocks.1.attn.av", "blocks.1.add1",
    ]  # fmt: skip
    assert cut.predecessors("blocks.1.attn.av") == ["blocks.1.fuse", "blocks.1.attn.v"]


@pytest.mark.parametrize(
    ("tokens", "keep", "remove", "left"),
    [
        (197, None, 16, 181),
        (197, 0.7, None, 139),  # int(196 x 0.3) = 58 are fused
        (101, 0.9, None, 91),
        (197, None, 150, 99),  # no more than half of the others
        (21, None, 16, 11),
        (12, None, 16, 10),  # ten stay
        (8, None, 16, 8),
    ],
)
def test_mctf_leaves_what_its_code_leaves(
    tokens: int, keep: float | None, remove: int | None, left: int
) -> None:
    assert fused(tokens, keep, remove) == left


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        split = self.qkv(tokens).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(*split)
        return self.proj(mixed.transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = Attention(width, heads)
        self.mlp = nn.Sequential(
            nn.Linear(width, 3 * width), nn.GELU(), nn.Linear(3 * width, width)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attn(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))


class LvVit(nn.Module):
    """LV-ViT (arXiv 2104.10858): four convolutions, then blocks of three times the width."""

    def __init__(self, width: int, depth: int, heads: int) -> None:
        super().__init__()
        edges = [3, width // 8, width // 4, width // 2, width]
        self.stem = nn.Sequential(
            *(
                layer
                for before, after in pairwise(edges)
                for layer in (
                    nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.GELU()
                )
            )
        )  # fmt: skip
        self.first = nn.Parameter(torch.zeros(1, 1, width))
        self.place = nn.Parameter(torch.zeros(1, 197, width))
        self.blocks = nn.ModuleList([Block(width, heads) for _ in range(depth)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 1000)

    def forward(self, image: Tensor) -> Tensor:
        patches = self.stem(image).flatten(2).transpose(1, 2)
        tokens = torch.cat((self.first.expand(len(image), -1, -1), patches), 1) + self.place
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(self.norm(tokens)[:, 0])


@pytest.fixture(scope="module")
def lv_vit_s() -> Graph:
    with torch.device("meta"):
        return trace(LvVit(384, 16, 6), torch.empty(1, 3, 224, 224))


@pytest.mark.parametrize(
    ("at", "printed"), [((9, 12, 14), 4.0e9), ((1, 2, 3), 1.5e9)], ids=["SiT-S", "SiT-XS"]
)
def test_slimming_cuts_what_its_readme_prints(
    lv_vit_s: Graph, at: tuple[int, ...], printed: float
) -> None:
    """LV-ViT-S has 5.5 G; the README of Self-slimmed ViT (arXiv 2111.12624) prints one digit."""
    assert lv_vit_s.macs == pytest.approx(5.5e9, abs=0.05e9)
    cut = reduced(lv_vit_s, method="slim", keep=0.5, at=at)
    assert cut.macs == pytest.approx(printed, abs=0.05e9)


def test_slimming_by_hand() -> None:
    plain = zoo.build(DEIT_S)
    cut = reduced(plain, method="slim", keep=0.5, at=(3, 6, 9))
    width, patches, macs = 384, 196, 196 * 768 * 384 + 384 * 1000
    extra = 0
    for block in range(12):
        tokens = patches + 1
        macs += 12 * tokens * width**2 + 2 * tokens**2 * width
        if block in (2, 5, 8):
            left = {196: 98, 98: 49, 49: 24}[patches]
            macs += patches * width * width // 2 + patches * width // 2 * left
            macs += left * patches * width
            extra += 2 * width + (width + 1) * width // 2 + (width // 2 + 1) * left
            patches = left
    assert (cut.macs, cut.params) == (macs, plain.params + extra)
    assert cut["blocks.2.slim.tokens"].output_elements == 99 * width
    assert cut.predecessors("blocks.3.norm1") == ["blocks.2.slim.tokens"]
    assert cut["blocks.11.attn.softmax"].output_elements == 6 * 25**2
    assert cut["blocks.2.slim.mix"].kind is OpKind.ATTENTION


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"method": "evit"}, "'evit' needs 'keep'"),
        ({"method": "mctf"}, "'mctf' needs 'keep' or 'remove'"),
        ({"method": "mctf", "keep": 0.5, "remove": 3}, "'mctf' needs 'keep' or 'remove'"),
        ({"method": "slim", "keep": 0.5, "remove": 3}, "'slim' takes no 'remove'"),
        ({"method": "slim", "keep": 0.01}, "no token is left behind block 7"),
    ],
)
def test_keys_that_do_not_go_together(how: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        reduced(zoo.build(DEIT_S), **how)


def test_mctf_needs_queries_keys_and_values_of_one_layer() -> None:
    class Apart(Attention):
        def __init__(self) -> None:
            super().__init__(64, 2)
            self.qkv = nn.ModuleList([nn.Linear(64, 64) for _ in range(3)])

        def forward(self, tokens: Tensor) -> Tensor:
            split = [one(tokens).unflatten(-1, (2, -1)).transpose(1, 2) for one in self.qkv]
            mixed = nn.functional.scaled_dot_product_attention(*split)
            return self.proj(mixed.transpose(1, 2).flatten(2))

    model = LvVit(64, 2, 2)
    model.blocks[1].attn = Apart()
    graph = trace(model, torch.zeros(1, 3, 224, 224))
    with pytest.raises(InputError, match=r"needs one layer 'blocks\.1\.attn\.qkv'"):
        reduced(graph, method="mctf", remove=16, at=(2,))
    assert reduced(graph, method="mctf", remove=16, at=(1,)).macs < graph.macs
