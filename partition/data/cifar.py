"""CIFAR-10 and CIFAR-100 from the binary archives: records of label bytes and pixel planes.

The archives named ``python`` hold pickles, which can run code when read; they are not read.
"""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path

import torch

from partition.data.dataset import Samples
from partition.errors import InputError

SIDE = 32
PIXELS = 3 * SIDE * SIDE


@dataclass(frozen=True, slots=True)
class CifarSource:
    """One of the two data sets.

    Attributes:
        name: name of the data set.
        archive: file name of the binary archive.
        inside: folder within it.
        train: its training files.
        test: its test file.
        names: its file of class names, one a line.
        label_bytes: label bytes before the pixels; the last of them is the class.
        classes: number of classes.
    """

    name: str
    archive: str
    inside: str
    train: tuple[str, ...]
    test: str
    names: str
    label_bytes: int
    classes: int


CIFAR10 = CifarSource(
    name="cifar-10",
    archive="cifar-10-binary.tar.gz",
    inside="cifar-10-batches-bin",
    train=tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    test="test_batch.bin",
    names="batches.meta.txt",
    label_bytes=1,
    classes=10,
)
CIFAR100 = CifarSource(
    name="cifar-100",
    archive="cifar-100-binary.tar.gz",
    inside="cifar-100-binary",
    train=("train.bin",),
    test="test.bin",
    names="fine_label_names.txt",
    label_bytes=2,
    classes=100,
)


def load_cifar(
    source: CifarSource, folder: Path | None
) -> tuple[Samples, Samples, tuple[str, ...]]:
    """Return (train, test, class names) from the archive, or its unpacked folder, in ``folder``.

    Raises:
        InputError: nothing is there, or a file is damaged; the message says what to put where.
    """
    if folder is None:
        raise InputError(_how_to_get(source, None))
    names = [*source.train, source.test, source.names]
    files = _from_folder(source, folder, names) or _from_archive(source, folder, names)
    if files is None:
        raise InputError(_how_to_get(source, folder))
    train = torch.cat([_records(source, name, files[name]) for name in source.train])
    test = _records(source, source.test, files[source.test])
    classes = tuple(line for line in files[source.names].decode().split("\n") if line.strip())
    if len(classes) != source.classes:
        raise InputError(f"{source.names} names {len(classes)} classes, not {source.classes}")
    return _samples(source, train), _samples(source, test), classes


def _how_to_get(source: CifarSource, folder: Path | None) -> str:
    python = f"{source.name}-python.tar.gz"
    seen = folder is not None and (folder / python).exists()
    extra = f" ({python} is there, but holds pickles, which are not read)" if seen else ""
    where = f" in {folder}" if folder else ""
    return (
        f"the files of {source.name} were not found{where}{extra}; get the binary version, "
        f"{source.archive}, from the CIFAR page of its authors, and name its folder as data.folder"
    )


def _from_folder(source: CifarSource, folder: Path, names: list[str]) -> dict[str, bytes] | None:
    for place in (folder, folder / source.inside):
        if all((place / name).is_file() for name in names):
            return {name: (place / name).read_bytes() for name in names}
    return None


def _from_archive(source: CifarSource, folder: Path, names: list[str]) -> dict[str, bytes] | None:
    """Read the wanted members in memory; nothing is unpacked to disk."""
    path = folder / source.archive
    if not path.is_file():
        return None
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for name in names:
                member = archive.extractfile(f"{source.inside}/{name}")
                if member is None:
                    raise KeyError(name)
                found[name] = member.read()
    except (tarfile.TarError, OSError, EOFError, KeyError) as error:
        raise InputError(f"{path} is damaged or not the binary version ({error})") from error
    return found


def _records(source: CifarSource, name: str, data: bytes) -> torch.Tensor:
    size = source.label_bytes + PIXELS
    if not data or len(data) % size:
        raise InputError(
            f"{source.name} file {name} has {len(data)} bytes, not a multiple of {size}: "
            "it is truncated; unpack the archive again"
        )
    return torch.frombuffer(bytearray(data), dtype=torch.uint8).reshape(-1, size)


def _samples(source: CifarSource, records: torch.Tensor) -> Samples:
    labels = records[:, source.label_bytes - 1].long()
    if int(labels.max()) >= source.classes:
        raise InputError(f"{source.name} has a label of {int(labels.max())}, beyond its classes")
    pixels = records[:, source.label_bytes :].reshape(-1, 3, SIDE, SIDE)
    return Samples(pixels.contiguous(), labels)
