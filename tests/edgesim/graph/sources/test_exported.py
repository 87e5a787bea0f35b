"""Exported programs: the operators of the module itself, and no code of the file runs."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim

from edgesim.common.errors import InputError
from edgesim.graph import Graph
from edgesim.graph.sources import exported
from edgesim.graph.trace import trace
from tests.edgesim.graph.sources import user_model


class Mixed(nn.Module):
    """Has what is written in a way of its own: splits, attention, constants, no_grad."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2)
        self.norm = nn.BatchNorm2d(8)
        self.attn = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 5)
        self.register_buffer("scale", torch.ones(8))

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        tokens = self.norm(self.conv(image)).relu().flatten(2).transpose(1, 2) * self.scale
        left, right = tokens.split(4, -1)
        tokens = torch.cat([right, left * torch.arange(4)], -1)
        tokens = self.attn(tokens, tokens, tokens, need_weights=False)[0]
        with torch.no_grad():
            best = tokens.topk(3, 1).values
        return {"logits": self.head(best.mean(1)), "tokens": tokens}


def save(path: Path, module: nn.Module, *inputs: Tensor, **options: Any) -> Path:
    torch.export.save(torch.export.export(module.eval(), inputs, **options), path)
    return path


def assert_same(one: Graph, other: Graph) -> None:
    assert one.ops == other.ops
    assert one.edges == other.edges
    assert one.input_shape == other.input_shape
    assert one.outputs == other.outputs


@pytest.mark.parametrize("make", [Mixed, user_model.Net])
@pytest.mark.parametrize("batch", [1, 4])
def test_operators_are_those_of_the_module(
    make: Callable[[], nn.Module], batch: int, tmp_path: Path
) -> None:
    module = make()
    image = torch.zeros(batch, 3, 9, 9)
    found = exported.read(save(tmp_path / "net.pt2", module, image))
    assert_same(found, trace(module, image))
    assert found.name == "net"
    assert found.source == f"exported:net.pt2, torch {torch.__version__}"


def test_a_dynamic_batch_is_one_sample(tmp_path: Path) -> None:
    module = Mixed()
    path = save(
        tmp_path / "net.pt2", module, torch.zeros(3, 3, 9, 9), dynamic_shapes=({0: Dim("b")},)
    )
    assert_same(exported.read(path), trace(module, torch.zeros(1, 3, 9, 9)))


def test_dynamic_sizes_need_an_input(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    path = save(
        tmp_path / "net.pt2", module, torch.zeros(2, 3, 16, 20),
        dynamic_shapes=({0: Dim("b"), 2: Dim("h", min=8, max=64), 3: Dim("w", min=8)},),
    )  # fmt: skip
    with pytest.raises(InputError, match="input 'input' are not fixed; give 'input'"):
        exported.read(path)
    assert_same(exported.read(path, [3, 12, 30]), trace(module, torch.zeros(1, 3, 12, 30)))
    with pytest.raises(InputError, match="is 8 to 64, got 65"):
        exported.read(path, [3, 65, 30])
    with pytest.raises(InputError, match="was exported for 3×any×any, got 4×9×9"):
        exported.read(path, [4, 9, 9])
    with pytest.raises(InputError, match="has 3 sizes beside the batch, got 2"):
        exported.read(path, [3, 9])
    with pytest.raises(InputError, match="expected 1 inputs"):
        exported.read(path, {"a": [3, 9, 9], "b": [2]})


def test_weights_are_not_read(tmp_path: Path) -> None:
    """A program of a gigabyte is as good without its weights."""
    module = user_model.Net()
    path = save(tmp_path / "net.pt2", module, torch.zeros(1, 3, 9, 9))
    bare = tmp_path / "bare.pt2"
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(bare, "w") as made:
        for name in whole.namelist():
            if "/data/" not in name:
                made.writestr(name, whole.read(name))
    assert_same(exported.read(bare), exported.read(path))


class Hostile:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_nothing_in_the_file_runs(tmp_path: Path) -> None:
    """Pickles in every place, and text that sympy would evaluate: `torch.export.load` does both."""
    path = save(
        tmp_path / "net.pt2", user_model.Net(), torch.zeros(2, 3, 9, 9),
        dynamic_shapes=({0: Dim("b")},),
    )  # fmt: skip
    marks = [tmp_path / "unpickled", tmp_path / "evaluated"]
    bad = tmp_path / "bad.pt2"
    code = f"__import__('pathlib').Path({str(marks[1])!r}).touch()"
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(bad, "w") as made:
        for name in whole.namelist():
            content = whole.read(name)
            if "/data/" in name and not name.endswith(".json"):
                buffer = io.BytesIO()
                torch.save(Hostile(marks[0]), buffer)
                content = buffer.getvalue()
            if name.endswith("model.json"):
                document = json.loads(content)
                values = document["graph_module"]["graph"]["tensor_values"]
                values["linear"]["sizes"][0] = {"as_expr": {"expr_str": code}}
                content = json.dumps(document).encode()
            made.writestr(name, content)
    with pytest.raises(InputError, match=r"bad\.pt2"):
        exported.read(bad)
    assert not any(mark.exists() for mark in marks)


@pytest.mark.parametrize("name", ["x = 1; import os", "class", "a b", "", 3, None])
def test_names_that_would_become_code_are_refused(name: object, tmp_path: Path) -> None:
    path = save(tmp_path / "net.pt2", user_model.Net(), torch.zeros(1, 3, 9, 9))
    with zipfile.ZipFile(path) as whole:
        (member,) = [one for one in whole.namelist() if one.endswith("models/model.json")]
        text = whole.read(member).decode()
    bad = tmp_path / "bad.pt2"
    with zipfile.ZipFile(bad, "w") as made:
        made.writestr(member, text.replace('"image"', json.dumps(name)))
    with pytest.raises(InputError, match="damaged exported program"):
        exported.read(bad)


def test_custom_operators_are_named_all_at_once(tmp_path: Path) -> None:
    path = save(tmp_path / "net.pt2", user_model.Net(), torch.zeros(1, 3, 9, 9))
    bad = tmp_path / "bad.pt2"
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(bad, "w") as made:
        for name in whole.namelist():
            text = whole.read(name)
            text = text.replace(b"torch.ops.aten.relu.default", b"torch.ops.mine.relu.default")
            text = text.replace(b"torch.ops.aten.mean.dim", b"torch.os.system")
            made.writestr(name, text)
    with pytest.raises(InputError) as caught:
        exported.read(bad)
    for one in ("torch.ops.mine.relu.default", "torch.os.system"):
        assert one in str(caught.value)


def test_another_format_is_one_message(tmp_path: Path) -> None:
    path = tmp_path / "new.pt2"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("net/models/model.json", json.dumps({"schema_version": {"major": 9}}))
    with pytest.raises(InputError, match="a program of format 9; this edgesim reads format 8"):
        exported.read(path)


HOW = "torch.export.save"


def test_pickled_files_are_refused_with_how_to_export(tmp_path: Path) -> None:
    mark = tmp_path / "unpickled"
    torch.save(Hostile(mark), tmp_path / "saved.pt")
    torch.save(Hostile(mark), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(Hostile(mark)))
    for name in ("saved.pt", "old.pt", "plain.pkl"):
        with pytest.raises(InputError, match=f"{name} is a pickled file.*{HOW}"):
            exported.read(tmp_path / name)
    assert not mark.exists()


def test_files_that_are_no_program(tmp_path: Path) -> None:
    (tmp_path / "text.pt2").write_text("a program")
    with zipfile.ZipFile(tmp_path / "empty.pt2", "w"):
        pass
    for name in ("text.pt2", "empty.pt2"):
        with pytest.raises(InputError, match=f"is no exported program.*{HOW}"):
            exported.read(tmp_path / name)
    with pytest.raises(InputError, match="does not exist"):
        exported.read(tmp_path / "none.pt2")
    with pytest.raises(InputError, match="is no regular file"):
        exported.read(tmp_path)
    with zipfile.ZipFile(tmp_path / "damaged.pt2", "w") as made:
        made.writestr("net/models/model.json", '{"schema_version": {"major": 8}')
    with pytest.raises(InputError, match="damaged exported program"):
        exported.read(tmp_path / "damaged.pt2")
