"""Images that lie in files: checked once, then decoded when a batch asks for them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from partition.data.decode import decode
from partition.errors import InputError

KEPT_BYTES = 512 << 20
"""Decoded pixels that are kept in memory; what is beyond them is decoded for every batch."""


@dataclass(slots=True)
class _Store:
    """What is known of the files that all splits share.

    Attributes:
        paths: the files.
        size: height and width that they are brought to, in pixels.
        channels: channels of each.
        kept: decoded pixels by file.
        kept_bytes: their size.
        digests: SHA-256 of the decoded pixels of every checked file.
        sums: sum of the pixels, and of their squares, of every channel of every checked file.
    """

    paths: Sequence[Path]
    size: tuple[int, int]
    channels: int
    kept: dict[int, Tensor] = field(default_factory=dict)
    kept_bytes: int = 0
    digests: dict[int, bytes] = field(default_factory=dict)
    sums: dict[int, tuple[list[int], list[int]]] = field(default_factory=dict)

    def pixels(self, file: int) -> Tensor:
        """Return the pixels of one file, (channels, height, width)."""
        known = self.kept.get(file)
        if known is not None:
            return known
        pixels = decode(self.paths[file], self.size, self.channels)
        if self.kept_bytes + pixels.nbytes <= KEPT_BYTES:
            self.kept[file] = pixels
            self.kept_bytes += pixels.nbytes
        return pixels

    def check(self, file: int) -> None:
        """Decode a file and note what its pixels come to.

        Raises:
            InputError: it is damaged.
        """
        if file in self.digests:
            return
        pixels = self.pixels(file)
        flat = pixels.flatten(1).long()
        self.sums[file] = (flat.sum(1).tolist(), flat.square().sum(1).tolist())
        self.digests[file] = hashlib.sha256(pixels.numpy().tobytes()).digest()


class ImageFiles:
    """Images in files, used as a tensor (images, channels, height, width) of uint8 is.

    An index gives the decoded pixels; :meth:`take` chooses without decoding. Memory is bounded:
    ``KEPT_BYTES`` of decoded pixels are kept, for all choices from the same files together.
    """

    def __init__(self, paths: Sequence[Path], size: tuple[int, int], channels: int) -> None:
        """Name the files; none is read yet.

        Args:
            paths: the files.
            size: height and width that they are brought to, in pixels.
            channels: channels of each.
        """
        self._store = _Store(paths, size, channels)
        self._files = torch.arange(len(paths))

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Images, channels, height, width."""
        return (len(self._files), self._store.channels, *self._store.size)

    @property
    def paths(self) -> list[Path]:
        """The files, in order."""
        return [self._store.paths[file] for file in self._files.tolist()]

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, chosen: Tensor | slice) -> Tensor:
        """Return the pixels of the chosen images: a slice, places, or a flag for each."""
        files = self._files[chosen].tolist()
        if not files:
            return torch.empty((0, *self.shape[1:]), dtype=torch.uint8)
        return torch.stack([self._store.pixels(file) for file in files])

    def take(self, indices: Tensor) -> ImageFiles:
        """Return the images at ``indices``, in that order, without decoding them."""
        chosen = object.__new__(ImageFiles)
        chosen._store, chosen._files = self._store, self._files[indices]
        return chosen

    def check(
        self, on_image: Callable[[], None], on_damaged: Callable[[Path], None] | None = None
    ) -> Tensor:
        """Decode every image once; return the places of those that are whole, in rising order.

        Args:
            on_image: called after each.
            on_damaged: called with each damaged file; None makes it an error.

        Raises:
            InputError: a file is damaged; the message names it.
        """
        whole = []
        for place, file in enumerate(self._files.tolist()):
            try:
                self._store.check(file)
                whole.append(place)
            except InputError:
                if on_damaged is None:
                    raise
                on_damaged(self._store.paths[file])
            on_image()
        return torch.tensor(whole, dtype=torch.int64)

    def content(self) -> bytes:
        """Return what is the same for the same decoded pixels in the same order.

        They must have been checked.
        """
        return b"".join(self._store.digests[file] for file in self._files.tolist())

    def sums(self) -> list[tuple[int, int]]:
        """Return of every channel the sum of all pixels, and of their squares.

        They must have been checked.
        """
        rows = [self._store.sums[file] for file in self._files.tolist()]
        return [
            (sum(row[0][channel] for row in rows), sum(row[1][channel] for row in rows))
            for channel in range(self._store.channels)
        ]
