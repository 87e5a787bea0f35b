"""One layer of a ViT as a convolution of tokens; imports no torch.

A token of d numbers is a map of rows x columns = d; several such maps where a layer takes more. The
five mixings are

- ``linear``: a matrix, W x;
- ``shared-valid``: kernels that lie wholly inside the map, the same for every token. Each kernel
  gives (rows - k + 1)(columns - k + 1) numbers; one as large as the map gives a single one, the
  product of a row of W with x, so that d_out such kernels are the linear layer, exactly;
- ``shared-same``: k x k kernels on the map with dark borders, the same for every token; each gives
  a map. It is a matrix of Toeplitz blocks with k² free numbers in place of d²;
- ``unshared-valid`` and ``unshared-same``: each token has kernels of its own, a depthwise
  convolution over tokens.

Where a layer takes several maps they are input channels, which light adds before it is detected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from optics.errors import InputError
from optics.tiling.shape import ConvShape, Pair, by

Mixing = Literal["linear", "shared-valid", "shared-same", "unshared-valid", "unshared-same"]
"""How a layer mixes the numbers of a token."""

MIXINGS: tuple[Mixing, ...] = get_args(Mixing)
"""All five, ``linear`` first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenConv:
    """A layer from ``inputs`` to ``outputs`` numbers a token.

    Attributes:
        name: name of the layer in messages.
        mixing: one of the five mixings.
        map: (rows, columns) of a token.
        tokens: tokens of an image, the class token included.
        inputs: numbers of a token that come; whole maps.
        outputs: numbers of a token that go.
        kernel: (rows, columns), nothing where the mixing is linear.

    Raises:
        InputError: a kernel larger than the map or without a middle, or ``outputs`` that kernels of
            this size cannot give.
    """

    name: str
    mixing: Mixing
    map: Pair
    tokens: int
    inputs: int
    outputs: int
    kernel: Pair = (0, 0)

    def __post_init__(self) -> None:
        if self.mixing not in MIXINGS:
            raise InputError(
                f"{self.name}: a mixing is one of {', '.join(MIXINGS)}; got {self.mixing!r}"
            )
        if self.mixing == "linear":
            return
        if min(self.kernel) < 1 or any(k > n for k, n in zip(self.kernel, self.map, strict=True)):
            raise InputError(
                f"{self.name}: a kernel of {by(self.kernel)} does not lie in a map of "
                f"{by(self.map)}; take sides from 1 to those of the map"
            )
        if self.same:
            if any(k % 2 == 0 for k in self.kernel):
                raise InputError(
                    f"{self.name}: 'same' kernels have odd sides, so that they have a middle; "
                    f"got {by(self.kernel)}: take one more or one less"
                )
        elif self.outputs % self.numbers:
            raise InputError(
                f"{self.name}: valid kernels of {by(self.kernel)} on a map of {by(self.map)} "
                f"give {self.numbers} numbers each, and {self.outputs} are no multiple of that; "
                f"take kernels of {_or(self._fitting())}"
            )

    @property
    def same(self) -> bool:
        """Whether maps keep their size."""
        return self.mixing.endswith("same")

    @property
    def shared(self) -> bool:
        """Whether all tokens meet the same kernels."""
        return self.mixing.startswith("shared")

    @property
    def covers(self) -> bool:
        """Whether kernels are as large as the map and valid, as rows of a matrix are."""
        return self.mixing.endswith("valid") and self.kernel == self.map

    @property
    def numbers(self) -> int:
        """Numbers that one kernel gives."""
        sides = (n if self.same else n - k + 1 for n, k in zip(self.map, self.kernel, strict=True))
        rows, columns = sides
        return rows * columns

    @property
    def channels(self) -> Pair:
        """Maps of one token that come, and kernels that each of them meets."""
        return self.inputs // (self.map[0] * self.map[1]), self.outputs // self.numbers

    @property
    def groups(self) -> int:
        """Of the convolution: one for each token that has kernels of its own."""
        return 1 if self.shared else self.tokens

    @property
    def weight(self) -> tuple[int, ...]:
        """Shape of the weight: (outputs, inputs), or (out, in of a group, rows, columns)."""
        if self.mixing == "linear":
            return self.outputs, self.inputs
        come, go = self.channels
        return go * self.groups, come, *self.kernel

    def shape(self, batch: int) -> ConvShape | None:
        """Return the convolution of ``batch`` images' tokens, nothing where the mixing is linear.

        Tokens that share kernels lie in the batch; others are groups of channels.
        """
        if self.mixing == "linear":
            return None
        come, go = self.channels
        (rows, columns) = (k // 2 if self.same else 0 for k in self.kernel)
        return ConvShape(
            batch=batch * self.tokens if self.shared else batch,
            in_channels=come * self.groups,
            out_channels=go * self.groups,
            size=self.map,
            kernel=self.kernel,
            groups=self.groups,
            padding=((rows, rows), (columns, columns)),
        )

    def _fitting(self) -> list[str]:
        """Return the sides of square kernels, and the whole map, that give ``outputs``."""
        rows, columns = self.map
        sides = range(1, min(rows, columns) + 1)
        fit = [k for k in sides if self.outputs % ((rows - k + 1) * (columns - k + 1)) == 0]
        named = [by((k, k)) for k in fit]
        return named if by(self.map) in named else [*named, by(self.map)]


def _or(names: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
