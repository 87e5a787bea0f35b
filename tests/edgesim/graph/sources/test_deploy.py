"""Branches for training are merged as the module itself merges them, or it is said why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from edgesim.common.errors import InputError
from edgesim.graph.sources import modules
from edgesim.graph.sources.deploy import NotDeployedError, deploy, training_form
from tests.edgesim.graph.sources import user_model

FILE = Path(__file__).with_name("user_model.py")


def read(name: str, reparameterize: Any) -> modules.Traced:
    return modules.of_user(
        {
            "kind": "torch", "place": str(FILE), "callable": name, "folder": str(FILE.parent),
            "arguments": {}, "input": [3, 16, 16], "reparameterize": reparameterize,
        }
    )  # fmt: skip


def randomised(module: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.1)
    return module.eval()


def test_the_merged_module_computes_the_same() -> None:
    module = randomised(user_model.branched())
    image = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        before = module(image)
        done = deploy(module)
        # Sums of 72 products in single precision.
        assert torch.allclose(module(image), before, rtol=1e-5)
    assert type(module[0]) is nn.Conv2d
    assert module[1].merged is not None
    # 8 x 27 + 2 x 10 x 64 weights, 3 norms of 16, a pointwise layer of 72; then 2 x 64 weights and
    # the norms are gone, and there are three biases of 8.
    assert done == (
        "merged for deployment: 1 x Normed.fuse, 2 x Branches.switch_to_deploy; 1,616 parameters "
        "are 1,464 now"
    )
    assert deploy(user_model.build()) == ""


def test_a_block_by_itself_is_merged() -> None:
    module = user_model.Branches(4)
    assert "1 x Branches.switch_to_deploy" in deploy(module)


def test_auto_counts_one_convolution_for_each_place() -> None:
    merged, plain = read("branched", "auto"), read("branched", False)
    width, pixels = 8, 14 * 14
    pointwise = width * width * pixels
    assert plain.graph.macs == pixels * 27 * width + 2 * 10 * pointwise + pointwise
    assert merged.graph.macs == plain.graph.macs - 2 * pointwise
    assert merged.merged
    assert "torch:user_model.py:branched (deployed form), torch " in merged.graph.source
    assert plain.notes == (
        "counted as it is trained: branches could be merged by 1 x Normed.fuse, "
        "2 x Branches.switch_to_deploy",
    )
    assert read("branched", True).graph.ops == merged.graph.ops


def test_a_module_without_branches_has_nothing_to_say() -> None:
    assert read("build", "auto").notes == ()
    with pytest.raises(InputError, match="no part of the module has a method that merges"):
        read("build", True)


def test_where_merging_fails_the_trained_form_is_counted_and_that_is_said() -> None:
    found = read("stubborn", "auto")
    why = "Stubborn.switch_to_deploy() failed: RuntimeError: not today"
    assert found.notes[0] == f"not merged for deployment: {why}"
    assert found.notes[1].startswith("counted as it is trained: ")
    assert found.graph.ops == read("stubborn", False).graph.ops
    assert not found.merged
    with pytest.raises(InputError, match=r"Stubborn\.switch_to_deploy\(\) failed"):
        read("stubborn", True)
    with pytest.raises(NotDeployedError):
        deploy(user_model.stubborn())


def test_methods_that_need_arguments_are_others() -> None:
    assert training_form(user_model.Pair(4)) == ""
    assert deploy(user_model.Pair(4)) == ""


def test_parameters_that_nothing_reads_are_told() -> None:
    found = read("idle", "auto")
    assert found.notes == ("36 parameters are never read: spare.weight, spare.bias",)
    assert found.graph.params == read("build", "auto").graph.params
