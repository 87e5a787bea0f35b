"""MNIST and Fashion-MNIST: where their files are found, how they are fetched and checked."""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
import urllib.error
import urllib.request
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from partition.data.dataset import Samples
from partition.errors import InputError, PartitionError
from partition.files import write_atomic


@dataclass(frozen=True, slots=True)
class IdxSource:
    """One IDX data set.

    Attributes:
        name: name of the data set.
        classes: class names, by label.
        url: folder that the files are fetched from.
        md5: MD5 of each gzipped file as its authors publish it, by file name.
        package: Debian package that holds the files, or None.
    """

    name: str
    classes: tuple[str, ...]
    url: str
    md5: Mapping[str, str]
    package: str | None = None

    def installed(self) -> Path | None:
        """Return the folder where a system package put the files, None where there is none.

        It is ``datasets/NAME`` in one of the folders of ``XDG_DATA_DIRS``: ``/usr/local/share`` and
        ``/usr/share`` where that is not set (XDG base directory specification 0.8).
        """
        shares = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
        folders = (Path(share, "datasets", self.name) for share in shares.split(":"))
        return next(filter(Path.is_dir, folders), None)


FASHION_MNIST = IdxSource(
    name="fashion-mnist",
    classes=(
        "t-shirt", "trouser", "pullover", "dress", "coat",
        "sandal", "shirt", "sneaker", "bag", "ankle boot",
    ),
    url="https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    md5={
        "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    },
    package="dataset-fashion-mnist",
)  # fmt: skip
"""Xiao, Rasul, Vollgraf 2017; MIT licence."""

MNIST = IdxSource(
    name="mnist",
    classes=tuple(str(digit) for digit in range(10)),
    url="https://ossci-datasets.s3.amazonaws.com/mnist/",
    md5={
        "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    },
)
"""LeCun, Cortes, Burges 1998."""


def load_idx(
    source: IdxSource, folder: Path | None = None, download: bool = False
) -> tuple[Samples, Samples]:
    """Return (train, test) of an IDX data set.

    Args:
        source: which one.
        folder: folder of the four files, gzipped or not; that of the system package by default.
        download: fetch what is missing into ``folder``, and check it.

    Raises:
        InputError: files are missing (the message says how to get them) or damaged.
        PartitionError: a download failed or did not match its checksum.
    """
    where = folder or source.installed()
    if download:
        if folder is None:
            raise InputError(
                f"downloading {source.name} needs a folder to keep it in: set data.folder"
            )
        for name in source.md5:
            if _find(folder, name) is None:
                _fetch(source, name, folder)
    paths = {name: path for name in source.md5 if where and (path := _find(where, name))}
    if len(paths) < len(source.md5):
        raise InputError(_how_to_get(source, where))
    loaded = {name: read_idx(path) for name, path in paths.items()}
    halves = []
    for half in ("train", "t10k"):
        images = loaded[f"{half}-images-idx3-ubyte.gz"]
        labels = loaded[f"{half}-labels-idx1-ubyte.gz"]
        if images.ndim != 3 or labels.ndim != 1:
            raise InputError(f"{where}: {half} files have shapes {images.shape} and {labels.shape}")
        if len(labels) and int(labels.max()) >= len(source.classes):
            raise InputError(
                f"{where}: {half} labels reach {int(labels.max())}, beyond the classes"
            )
        halves.append(Samples(images.unsqueeze(1), labels.long()))
    return halves[0], halves[1]


def _find(folder: Path, name: str) -> Path | None:
    """Return the file ``name``, gzipped or not, in ``folder``, or None."""
    for candidate in (folder / name, folder / name.removesuffix(".gz")):
        if candidate.is_file():
            return candidate
    return None


def _how_to_get(source: IdxSource, folder: Path | None) -> str:
    """Return what to do about missing files."""
    choices = [
        f"put {', '.join(source.md5)} into a folder and name it as data.folder",
        "set data.download: true with a data.folder",
    ]
    if package := source.package:
        choices.insert(0, f"install the Debian package {package} (apt-get install {package})")
    where = f" in {folder}" if folder else ""
    return f"the files of {source.name} were not found{where}; {'; or '.join(choices)}"


def _fetch(source: IdxSource, name: str, folder: Path) -> None:
    """Fetch one file, check it, and only then give it its name."""
    try:
        with urllib.request.urlopen(source.url + name, timeout=60) as answer:
            data: bytes = answer.read()
    except (urllib.error.URLError, OSError) as error:
        raise PartitionError(
            f"cannot fetch {source.url}{name}: {error}; {_how_to_get(source, folder)}"
        ) from error
    got = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if got != source.md5[name]:
        raise PartitionError(
            f"{source.url}{name} has MD5 {got}, not {source.md5[name]}: it was damaged or replaced"
        )
    write_atomic(folder / name, data)


UNSIGNED_BYTE = 0x08
"""The type code of the only element type that image data sets use."""


def read_idx(path: Path) -> Tensor:
    """Return the uint8 tensor of an IDX file; a name that ends in ``.gz`` is unpacked.

    The file is: two zero bytes, the type code, the number of dimensions, each dimension as a
    big-endian 32-bit number, then the elements (LeCun et al., the MNIST page).

    Raises:
        InputError: the file is missing, truncated, too long, or of another format.
    """
    try:
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot read {path}: {error}; copy it again from its source") from error
    if len(data) < 4 or data[:2] != b"\0\0":
        raise InputError(f"{path} is not an IDX file: it must start with two zero bytes")
    if data[2] != UNSIGNED_BYTE:
        raise InputError(f"{path} holds elements of type {data[2]:#04x}; only bytes are read")
    dimensions = data[3]
    start = 4 + 4 * dimensions
    if dimensions == 0 or len(data) < start:
        raise InputError(f"{path} ends within its header")
    shape = struct.unpack(f">{dimensions}I", data[4:start])
    expected = 1
    for side in shape:
        expected *= side
    if len(data) - start != expected:
        raise InputError(
            f"{path} should hold {expected} bytes of shape {shape}, but holds {len(data) - start}; "
            "copy it again from its source"
        )
    return torch.frombuffer(bytearray(data[start:]), dtype=torch.uint8).reshape(shape)
