"""What a device cannot exploit of a compressed model is said, and only that."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgesim import api
from edgesim.common.errors import EdgesimError
from edgesim.graph import Graph
from edgesim.placement.compressed import dense_notes
from edgesim.report import folder
from edgesim.scenario import Scenario, load_text
from tests.edgesim.every_key.scenario_cases import MODEL


def scenario(compress: str, *settings: str) -> Scenario:
    return load_text(MODEL, "case.yaml", [f"model.compress={compress}", *settings])


def notes(compress: str, *settings: str) -> list[str]:
    made = scenario(compress, *settings)
    return dense_notes(api.place(made), made.placement)


def test_blocks_of_zeros_are_computed_and_said() -> None:
    """Two fc1 of 5 tokens: 2 x 5 x 192 x 768 = 1.47 M products, of which half would do."""
    (note,) = notes("{sparsity: {share: 0.5, only: '*.fc1'}}")
    assert note == (
        "'n' cannot exploit blocks of zero weights: 2 operators take dense time, "
        "1.47 M MAC where 737 k are needed"
    )


@pytest.mark.parametrize(
    ("compress", "settings", "number"),
    [
        # int8 is twice as fast on this device as fp32, and holds four bits.
        ("{bits: {weights: 8, activations: 8}}", (), 0),
        ("{bits: {weights: 4, activations: 8}}", (), 0),
        ("{bits: {weights: 12, activations: 12}}", (), 1),
        # No format of four bits: dense time of int8. Eight bits are int8 itself.
        ("{bits: {weights: 4, activations: 4}}", ("model.precision=int8",), 1),
        ("{bits: {weights: 8, activations: 8}}", ("model.precision=int8",), 0),
        # Of weights alone, only their bytes are fewer, and the device moves fewer.
        ("{bits: {weights: 4}}", (), 0),
        ("{tokens: {keep: 0.5, at: [1]}}", (), 0),
        ("{arithmetic: {kind: shift-add}}", (), 1),
        (
            "{arithmetic: {kind: shift-add}}",
            ("nodes.n.device.efficiency={shift-linear: 0.5, shift-conv: 0.5}",),
            0,
        ),
    ],
)
def test_what_is_exploited_has_no_note(
    compress: str, settings: tuple[str, ...], number: int
) -> None:
    assert len(notes(compress, *settings)) == number


def test_a_result_runs_again_from_its_graph(tmp_path: Path) -> None:
    """The stored graph is compressed already: its scenario does not compress it twice."""
    made = scenario("{tokens: {keep: 0.5, at: [1]}, sparsity: {share: 0.5}}")
    first = api.run(made)
    files = folder.files_of(first)
    for name in ("model.graph.json", "scenario.yaml"):
        (tmp_path / name).write_text(files[name](), encoding="utf-8")
    assert (
        Graph.load(tmp_path / "model.graph.json")["head"].density
        == made.placement.model.graph["head"].density
    )
    again = api.run(load_text((tmp_path / "scenario.yaml").read_text(), "s", folder=tmp_path))
    assert again.summary["latency_s"] == first.summary["latency_s"]


@pytest.mark.parametrize(
    ("compress", "words"),
    [
        ("{tokens: {keep: 0.5, at: [3]}}", r"model\.compress: .* has no block 3 with attention"),
        ("{tokens: {keep: 1.5}}", "model.compress.tokens.keep"),
        ("{tokens: {keep: 0.5, method: guess}}", "model.compress.tokens.method"),
        ("{sparsity: {share: 0.5, only: 'x*'}}", r"model\.compress: .*'x\*' names no product"),
        ("{bits: {}}", r"model\.compress: .*expected `weights`, `activations` or both"),
    ],
)
def test_bad_compression_is_one_message(compress: str, words: str) -> None:
    with pytest.raises(EdgesimError, match=words):
        scenario(compress)


def test_other_kinds_of_models_take_no_compression() -> None:
    with pytest.raises(EdgesimError, match="'compress' is fixed by the artifact"):
        load_text(
            MODEL, "case.yaml",
            ["model={artifact: examples/fashion-2, compress: {bits: {weights: 8}}}"],
        )  # fmt: skip
    with pytest.raises(EdgesimError, match=r"the operators of .* are fixed"):
        scenario(
            "{bits: {weights: 8}}", "placement={strategy: class-wise, submodels: 1, fusion: hub}"
        )
