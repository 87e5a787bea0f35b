"""Convolution on the ideal road: what an ideal 4f system with guard bands computes, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import FunctionCtx

from optics.errors import InputError
from optics.ideal.problem import FACTORS, Problem, Role
from optics.ideal.stream import Spectra, contract
from optics.ideal.superposition import (
    bright_points,
    enough,
    pays,
    point_problem,
    responses,
    superpose,
)
from optics.tiling.shape import ConvShape, Padding

MAX_BYTES = 2**28
"""Default working memory of one product: 256 MiB."""


class KernelCache:
    """Cache of a layer's kernels, valid as long as their values stay the same.

    It holds their spectrum; or the responses to single pixels, once the transforms of the images
    so far have taken as long as computing the responses does. Values are compared, not versions,
    so that every change of a weight is noticed. Spectra that do not fit the bound of memory whole
    are not cached.
    """

    def __init__(self) -> None:
        self._weight: Tensor | None = None
        self._problem: Problem | None = None
        self._spectra: Spectra = {}
        self._responses: Tensor | None = None
        self._shown = 0

    def spectra(self, weight: Tensor, problem: Problem) -> Spectra:
        """Return the cached spectra of ``weight`` on the plane of ``problem``, if any."""
        if (
            self._spectra
            and self._problem is not None
            and self._problem.shape.groups == problem.shape.groups
            and self._problem.shape.dilation == problem.shape.dilation
            and self._problem.plane == problem.plane
            and self._same(weight)
        ):
            return self._spectra
        return {}

    def keep(self, weight: Tensor, problem: Problem, spectra: Spectra) -> None:
        """Remember the kernels' part of ``spectra``."""
        if Role.KERNEL in spectra:
            self._turn_to(weight, problem)
            self._spectra = {Role.KERNEL: spectra[Role.KERNEL]}

    def responses(self, weight: Tensor, problem: Problem) -> Tensor | None:
        """Return (groups, numbers in, numbers out), or ``None`` before enough images."""
        self._turn_to(weight, problem)
        self._shown += problem.shape.batch
        if self._responses is None and enough(problem, self._shown):
            self._responses = _responses(weight.detach(), problem)
            self._spectra = {}
        return self._responses

    def _same(self, weight: Tensor) -> bool:
        old = self._weight
        return (
            old is not None
            and (old.shape, old.dtype, old.device) == (weight.shape, weight.dtype, weight.device)
            and torch.equal(old, weight)
        )

    def _turn_to(self, weight: Tensor, problem: Problem) -> None:
        """Forget what is of another weight, or of a convolution that differs in more than batch."""
        before, same = self._problem, self._same(weight)
        if not same:
            self._weight = weight.detach().clone()
        of_before = before and replace(before.shape, batch=problem.shape.batch)
        if not same or of_before != problem.shape:
            self._spectra, self._responses, self._shown = {}, None, 0
        self._problem = problem


def ideal_conv2d(
    images: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    *,
    max_bytes: int = MAX_BYTES,
    cache: KernelCache | None = None,
) -> Tensor:
    """Return what ``torch.nn.functional.conv2d`` returns, by one Fourier product with guard bands.

    y = F⁻¹(F(x) F(w reversed)) on a plane of at least M + N - 1 pixels a side, so that nothing
    wraps; channels are summed in the field. Where it is less work, the product is that of a bright
    pixel, and images are superpositions of its shifts (see :mod:`optics.ideal.superposition`).
    Differentiable to any order.

    Args:
        images: (batch, in_channels, rows, columns), float32 or float64, of any sign.
        weight: (out_channels, in_channels / groups, rows, columns), of the same type and device.
        bias: (out_channels), added electronically.
        stride: distance between outputs.
        padding: zeros around an image, as in ``torch.nn.Conv2d``.
        dilation: distance between kernel elements.
        groups: number of groups; groups share no channels.
        max_bytes: working memory that one pass may hold beside its arguments and its result. Batch,
            channels and groups are worked through in pieces that fit.
        cache: cache of the kernels' spectra and responses, for several calls.

    Returns:
        (batch, out_channels, rows, columns).

    Raises:
        InputError: shapes, types, devices or values that make no convolution, or ``max_bytes``
            below one plane.
    """
    shape = ConvShape.of(
        images.shape, weight.shape, stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    check_tensors(images, weight, bias)
    problem = Problem(shape, max_bytes)
    known = _known_responses(weight, problem, cache)
    if known is None:
        output = _product(images, weight, problem, cache)
    else:
        output = superpose(images, known, shape)
    return output if bias is None else output + bias[:, None, None]


def _known_responses(weight: Tensor, problem: Problem, cache: KernelCache | None) -> Tensor | None:
    """Return the responses to single pixels where superposition is less work than transforms."""
    if problem.shape.batch == 0 or not pays(problem, weight.element_size()):
        return None
    if cache is not None and not (torch.is_grad_enabled() and weight.requires_grad):
        return cache.responses(weight, problem)
    return _responses(weight, problem) if enough(problem, problem.shape.batch) else None


def _responses(weight: Tensor, problem: Problem) -> Tensor:
    points = bright_points(weight, problem.shape)
    return responses(_product(points, weight, point_problem(problem)), problem.shape)


def _product(
    images: Tensor, weight: Tensor, problem: Problem, cache: KernelCache | None = None
) -> Tensor:
    output: Tensor = _Product.apply(Role.OUTPUT, images, weight, problem, {}, cache)  # type: ignore[no-untyped-call]
    return output


def check_tensors(images: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    """Refuse tensors that do not belong together or are not finite.

    Raises:
        InputError: and what was expected.
    """
    named = {"images": images, "weight": weight} | ({} if bias is None else {"bias": bias})
    for name, tensor in named.items():
        if tensor.dtype not in (torch.float32, torch.float64):
            raise InputError(
                f"{name} must be float32 or float64, got {tensor.dtype}; light's field is computed "
                "in complex64 or complex128"
            )
        if tensor.dtype != images.dtype or tensor.device != images.device:
            raise InputError(
                f"{name} is {tensor.dtype} on {tensor.device} but the images are {images.dtype} on "
                f"{images.device}; move one of them with .to()"
            )
    for name, tensor in named.items():
        if not is_finite(tensor):
            raise InputError(f"{name} must be finite; it has infinite values or NaN")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise InputError(
            f"bias has one number for each of {weight.shape[0]} output channels, got shape "
            f"{tuple(bias.shape)}"
        )


def is_finite(tensor: Tensor) -> bool:
    """Return whether all values are finite; one pass without a mask, unless the sum overflows."""
    values = tensor.detach()
    return bool(values.sum().isfinite()) or bool(values.isfinite().all())


class _Product(Function):
    """One of image, kernel and output from the other two; its derivatives are the other two."""

    @staticmethod
    def forward(
        ctx: Any,
        result: Role,
        first: Tensor,
        second: Tensor,
        problem: Problem,
        known: dict[Role, Tensor],
        cache: KernelCache | None,
    ) -> Tensor:
        if cache is not None:
            known = dict(cache.spectra(second, problem))
        out, spectra = contract(problem, result, first, second, known)
        if cache is not None and not known:
            cache.keep(second, problem, spectra)
        if cache is None:
            known.update(spectra)  # so that the other pass need not transform a gradient again
        ctx.save_for_backward(first, second)
        ctx.result, ctx.problem = result, problem
        ctx.spectra = {role: spectra[role] for role in FACTORS[result] if role in spectra}
        return out

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Any) -> Any:
        gradient: Tensor = gradients[0]
        result: Role = ctx.result  # type: ignore[attr-defined]
        problem: Problem = ctx.problem  # type: ignore[attr-defined]
        known: dict[Role, Tensor] = dict(ctx.spectra)  # type: ignore[attr-defined]
        tensors = dict(zip(FACTORS[result], ctx.saved_tensors, strict=True))  # type: ignore[attr-defined]
        tensors[result] = gradient.contiguous()
        needed = ctx.needs_input_grad  # type: ignore[attr-defined]
        found: list[Tensor | None] = []
        for role, need in zip(FACTORS[result], needed[1:3], strict=True):
            if not need:
                found.append(None)
                continue
            first, second = (tensors[other] for other in FACTORS[role])
            found.append(_Product.apply(role, first, second, problem, known, None))  # type: ignore[no-untyped-call]
        return None, found[0], found[1], None, None, None
