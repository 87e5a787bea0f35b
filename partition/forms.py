"""Forms of a model's weights: what is left of its accuracy with fewer bits."""

from __future__ import annotations

import copy
from typing import Literal, TypeVar, get_args

import torch
from torch import Tensor, nn

Form = Literal["fp32", "fp16", "bf16", "int8"]
"""How weights are stored: as floating-point numbers of 32 or 16 bits, as bfloat16, or matrices as
integers of 8 bits with a scale for each output (symmetric, to the nearest) and the rest in fp32."""
FORMS: tuple[Form, ...] = get_args(Form)
Model = TypeVar("Model", bound=nn.Module)


def rounded(weight: Tensor, form: Form) -> Tensor:
    """Return a weight as the form stores it, in fp32 again.

    ``int8`` stores round(w / s) with s = max |w| / 127 over the inputs of each output; weights of
    one axis stay as they are.
    """
    if form == "fp16":
        return weight.to(torch.float16).to(torch.float32)
    if form == "bf16":
        return weight.to(torch.bfloat16).to(torch.float32)
    if form == "fp32" or weight.ndim < 2:
        return weight
    rows = weight.flatten(1)
    scale = rows.abs().amax(1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny) / 127
    return ((rows / scale).round().clamp(-127, 127) * scale).view_as(weight)


@torch.no_grad()
def in_form(model: Model, form: Form) -> Model:
    """Return a copy of a model with its weights in a form; it computes in fp32.

    Tokens and positions count as weights of one axis: they are added, not multiplied.
    """
    made = copy.deepcopy(model)
    for name, parameter in made.named_parameters():
        matrix = name.endswith("weight")
        if matrix or form != "int8":
            parameter.copy_(rounded(parameter, form))
    return made
