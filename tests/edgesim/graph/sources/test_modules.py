"""Modules of a user's code: what is traced of them, and what is said where they fail."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from edgesim.common.errors import InputError
from edgesim.graph import Graph
from edgesim.graph.sources import modules
from edgesim.graph.trace import trace
from tests.edgesim.graph.sources import user_model

FILE = Path(__file__).with_name("user_model.py")
IMAGE = [3, 32, 32]


@pytest.fixture(autouse=True)
def _imports() -> Iterator[None]:
    """Forget what a test imported: in the product, its process ends."""
    path, known = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - known:
        if name.startswith(("user", "net", "kit")):
            del sys.modules[name]


def of_user(name: str, file: str | Path = FILE, **more: Any) -> Graph:
    job = {"kind": "torch", "place": str(file), "callable": name, "folder": str(FILE.parent)}
    return modules.of_user({**job, "arguments": {}, "input": IMAGE, **more}).graph


def refused(name: str, file: str | Path = FILE, **more: Any) -> str:
    with pytest.raises(InputError) as caught:
        of_user(name, file, **more)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "arguments", "module"),
    [
        ("build", {}, user_model.Net()),
        ("build", {"depth": 4, "width": 12}, user_model.Net(4, 12)),
        ("Net", {"depth": 1}, user_model.Net(1)),
        ("INSTANCE", {}, user_model.Net()),
        ("on_the_cpu", {}, user_model.Net()),
    ],
)
def test_a_callable_gives_the_operators_of_its_module(
    name: str, arguments: dict[str, int], module: torch.nn.Module
) -> None:
    found = of_user(name, arguments=arguments)
    expected = trace(module, torch.zeros(1, *IMAGE))
    assert found.ops == expected.ops
    assert found.edges == expected.edges
    assert found.name == "Net"
    assert found.source == f"torch:user_model.py:{name}, torch {torch.__version__}"


def test_a_package_by_its_dotted_name_and_a_file_of_a_package(tmp_path: Path) -> None:
    package = tmp_path / "kit"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "parts.py").write_text("from torch import nn\ndef part(): return nn.Flatten()\n")
    (package / "whole.py").write_text(
        "from torch import nn\nfrom .parts import part\n"
        "def build(): return nn.Sequential(part(), nn.Linear(12, 4))\n"
    )
    by_file = of_user("build", package / "whole.py", input=[3, 2, 2])
    by_name = of_user("build", "kit.whole", folder=str(tmp_path), input=[3, 2, 2])
    assert by_file.macs == by_name.macs == 48


def test_several_inputs_by_name_with_their_types() -> None:
    given = {
        "ids": {"shape": [7], "dtype": "int64"},
        "mask": [7],
        "video": [3, 4, 8, 8],
        "pair": [[5, 2], [5, 2]],
        "extra": {"bias": [5]},
        "scale": {"value": True},
    }
    found = of_user("several", input=given)
    module = user_model.several()
    tensors = (torch.zeros(1, 5, 2), torch.zeros(1, 5, 2))
    expected = trace(
        module,
        {
            "ids": torch.zeros(1, 7, dtype=torch.int64), "mask": torch.zeros(1, 7),
            "video": torch.zeros(1, 3, 4, 8, 8), "pair": tensors,
            "extra": {"bias": torch.zeros(1, 5)}, "scale": True,
        },
    )  # fmt: skip
    assert found.ops == expected.ops
    # Counted by hand: 4 kernels of 3 × 2 × 3 × 3 at 3 × 6 × 6 places, and 16 features to 5.
    assert found.macs == 4 * 3 * 2 * 3 * 3 * 3 * 6 * 6 + 16 * 5
    assert found.input_elements == 7 + 7 + 3 * 4 * 8 * 8 + 2 * 10 + 5
    positional = of_user("several", input=list(given.values()))
    assert positional.ops == found.ops


def test_what_a_callable_needs_and_takes() -> None:
    message = refused("needs", arguments={"depht": 3, "width": 4})
    assert "takes no 'depht' (did you mean 'depth'?)" in message
    assert "it needs 'depth': give 'arguments' (--arguments '{depth: …}')" in message


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("buld", "no 'buld' in user_model.py (did you mean 'build'?)"),
        ("NUMBER", "'NUMBER' is 3; expected a callable that returns a module"),
        ("text", "'text' returned str; expected a torch.nn.Module"),
        ("ends", "the code wants to end with status 3"),
    ],
)
def test_what_is_no_module(name: str, words: str) -> None:
    assert words in refused(name)


def test_the_users_traceback_with_file_and_line() -> None:
    lines = FILE.read_text().splitlines()
    outer = next(i for i, line in enumerate(lines, 1) if "return _inner(0)" in line)
    inner = next(i for i, line in enumerate(lines, 1) if "raise ValueError" in line)
    assert refused("fails") == (
        "cannot be built: ValueError: a depth of 0 is none\n"
        f'  File "{FILE}", line {outer}, in fails\n'
        "    return _inner(0)\n"
        f'  File "{FILE}", line {inner}, in _inner\n'
        '    raise ValueError(f"a depth of {depth} is none")'
    )


def test_files_that_cannot_be_imported(tmp_path: Path) -> None:
    (tmp_path / "net_syntax.py").write_text("def build(:\n    pass\n")
    message = refused("build", tmp_path / "net_syntax.py")
    assert message.startswith("cannot be imported: SyntaxError: ")
    assert f'File "{tmp_path}/net_syntax.py", line 1' in message
    (tmp_path / "net_import.py").write_text("x = 1\nimport no_such_package\n")
    message = refused("build", tmp_path / "net_import.py")
    assert "cannot be imported: ModuleNotFoundError: No module named 'no_such_package'" in message
    assert f'File "{tmp_path}/net_import.py", line 2' in message


def test_a_wrong_shape_is_said_with_the_line_that_refused_it() -> None:
    message = refused("build", input=[4, 32, 32])
    assert f"cannot be traced at {FILE}:" in message
    assert "to have 3 channels, but got 4 channels" in message
    assert message.endswith("the input was 4×32×32, without the batch")
