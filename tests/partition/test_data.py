"""Loaders on files made by hand, splits, inputs and augmentation."""

import gzip
import hashlib
import io
import struct
import tarfile
import urllib.error
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from partition.data import (
    Samples,
    augment,
    epoch_order,
    open_data,
    shuffled_batches,
    stratified,
    to_input,
)
from partition.data.cifar import CIFAR10, CIFAR100, load_cifar
from partition.data.dataset import statistics
from partition.data.mnist import FASHION_MNIST, MNIST, load_idx, read_idx
from partition.errors import InputError, PartitionError
from partition.recipe import Augmentation, DataSpec
from tests import needs
from tests.partition.small import generator


def _idx(shape, values):
    return (
        b"\0\0\x08" + bytes([len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + bytes(values)
    )


def _mnist_files(count=4):
    images = _idx((count, 2, 2), range(4 * count))
    labels = _idx((count,), [n % 10 for n in range(count)])
    return {name: gzip.compress(images if "images" in name else labels) for name in MNIST.md5}


def test_idx_files_plain_and_gzipped(tmp_path):
    data = _idx((2, 3), [1, 2, 3, 4, 5, 255])
    (tmp_path / "a").write_bytes(data)
    (tmp_path / "a.gz").write_bytes(gzip.compress(data))
    for name in ("a", "a.gz"):
        assert read_idx(tmp_path / name).tolist() == [[1, 2, 3], [4, 5, 255]]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a", b"\0\0\x08\x01\0\0\0\x03ab", "should hold 3 bytes"),
        ("a", b"\0\0\x08\x01\0\0\0\x01ab", "should hold 1 bytes"),
        ("a", b"\0\0\x08\x02\0\0\0\x01", "ends within its header"),
        ("a", b"PK\x03\x04", "must start with two zero bytes"),
        ("a", b"\0\0\x0d\x01\0\0\0\0", "type 0x0d"),
        ("a.gz", gzip.compress(b"\0\0\x08\x01\0\0\0\x03abc", mtime=0)[:-9], "copy it again"),
        ("a.gz", b"not gzip", "copy it again"),
    ],
)
def test_damaged_idx_files_are_refused(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=message):
        read_idx(tmp_path / name)


def test_mnist_from_a_folder(tmp_path):
    for name, data in _mnist_files().items():
        (tmp_path / name).write_bytes(data)
    train, test = load_idx(MNIST, tmp_path)
    assert train.images.shape == (4, 1, 2, 2)
    assert train.images[1, 0].tolist() == [[4, 5], [6, 7]]
    assert test.labels.tolist() == [0, 1, 2, 3]


def test_missing_files_say_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path))
    with pytest.raises(InputError, match=r"apt-get install dataset-fashion-mnist.*data\.folder"):
        load_idx(FASHION_MNIST)
    with pytest.raises(InputError, match=r"name it as data\.folder.*download: true"):
        load_idx(MNIST)
    with pytest.raises(InputError, match="needs a folder"):
        load_idx(MNIST, download=True)
    with pytest.raises(InputError, match=r"cifar-10-binary\.tar\.gz"):
        open_data(DataSpec(name="cifar-10"))


def test_a_download_is_checked_before_it_gets_its_name(tmp_path, monkeypatch):
    files = _mnist_files()
    source = replace(
        MNIST, md5={name: hashlib.md5(data).hexdigest() for name, data in files.items()}
    )
    asked = []

    def answer(url, timeout):
        asked.append(url)
        return io.BytesIO(files[url.rsplit("/", 1)[1]])

    monkeypatch.setattr("urllib.request.urlopen", answer)
    train, _ = load_idx(source, tmp_path, download=True)
    assert len(train) == 4
    load_idx(source, tmp_path, download=True)
    assert len(asked) == 4  # nothing is fetched twice
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    wrong = replace(source, md5={**source.md5, "t10k-labels-idx1-ubyte.gz": "0" * 32})
    with pytest.raises(PartitionError, match="damaged or replaced"):
        load_idx(wrong, tmp_path, download=True)
    assert len(list(tmp_path.iterdir())) == 3

    def offline(url, timeout):
        raise urllib.error.URLError("no route")

    monkeypatch.setattr("urllib.request.urlopen", offline)
    with pytest.raises(PartitionError, match=r"no route.*data\.folder"):
        load_idx(source, tmp_path, download=True)


def test_data_of_a_system_package_are_found_in_the_folders_for_shared_data(tmp_path, monkeypatch):
    folder = tmp_path / "share" / "datasets" / "mnist"
    folder.mkdir(parents=True)
    for name, data in _mnist_files().items():
        (folder / name).write_bytes(data)
    monkeypatch.setenv("XDG_DATA_DIRS", f"{tmp_path / 'none'}:{tmp_path / 'share'}")
    assert len(load_idx(MNIST)[0]) == 4


@needs.FASHION_MNIST.mark
def test_fashion_mnist_of_the_system_package():
    train, test = load_idx(FASHION_MNIST)
    assert torch.bincount(train.labels).tolist() == [6000] * 10
    assert torch.bincount(test.labels).tolist() == [1000] * 10
    mean, std = statistics(train)
    # the figures that its users quote, to their four digits
    assert (round(mean[0], 4), round(std[0], 4)) == (0.2860, 0.3530)


def _cifar(source, per_file=3):
    size = source.label_bytes + 3072
    names = (*source.train, source.test)
    files = {
        name: bytes([number] * source.label_bytes + [number] * 3072) * per_file
        for number, name in enumerate(names)
    }
    assert all(len(data) == per_file * size for data in files.values())
    files[source.names] = "\n".join(f"class {n}" for n in range(source.classes)).encode() + b"\n\n"
    return files


@pytest.mark.parametrize("source", [CIFAR10, CIFAR100])
@pytest.mark.parametrize("packed", [True, False])
def test_cifar_from_the_archive_or_its_folder(tmp_path, source, packed):
    files = _cifar(source)
    if packed:
        with tarfile.open(tmp_path / source.archive, "w:gz") as archive:
            for name, data in files.items():
                info = tarfile.TarInfo(f"{source.inside}/{name}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    else:
        (tmp_path / source.inside).mkdir()
        for name, data in files.items():
            (tmp_path / source.inside / name).write_bytes(data)
    train, test, classes = load_cifar(source, tmp_path)
    assert train.images.shape == (3 * len(source.train), 3, 32, 32)
    assert train.labels[-1] == len(source.train) - 1
    assert test.labels.tolist() == [len(source.train)] * 3
    assert len(classes) == source.classes


def test_damaged_and_pickled_cifar_are_refused(tmp_path):
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"x")
    with pytest.raises(InputError, match="holds pickles, which are not read"):
        load_cifar(CIFAR10, tmp_path)
    (tmp_path / CIFAR10.archive).write_bytes(b"x")
    with pytest.raises(InputError, match="damaged or not the binary version"):
        load_cifar(CIFAR10, tmp_path)
    for name, data in _cifar(CIFAR10).items():
        (tmp_path / name).write_bytes(data[:-5] if name == CIFAR10.test else data)
    with pytest.raises(InputError, match=r"test_batch\.bin has 9214 bytes"):
        load_cifar(CIFAR10, tmp_path)


def test_an_image_folder(tmp_path):
    from PIL import Image

    for name, colour in (("b", (0, 0, 255)), ("a", (255, 0, 0))):
        (tmp_path / name).mkdir()
        for number in range(5):
            Image.new("RGB", (20, 10), colour).save(tmp_path / name / f"{number}.png")
    data = open_data(DataSpec(name="folder", folder=str(tmp_path), image=8, test=0.4))
    assert data.classes == ("a", "b")
    assert data.train.images.shape[1:] == (3, 8, 8)
    first = data.train.images[data.train.labels == 0][0]
    assert first[0].eq(255).all()
    assert first[2].eq(0).all()
    (tmp_path / "b" / "0.png").write_bytes(b"broken")
    with pytest.raises(InputError, match="cannot decode"):
        open_data(DataSpec(name="folder", folder=str(tmp_path), image=8))


def test_an_image_folder_without_classes_or_pillow(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "PIL.Image", None)
    with pytest.raises(InputError, match="pip install pillow"):
        open_data(DataSpec(name="folder", folder=str(tmp_path)))


def test_data_without_test_images_are_refused():
    with pytest.raises(InputError, match=r"no test images: set data\.test"):
        open_data(DataSpec(test=0.0))


def test_digits_are_split_the_same_every_time():
    first, second = open_data(DataSpec()), open_data(DataSpec())
    assert (len(first.train), len(first.validation), len(first.test)) == (1295, 143, 359)
    assert torch.equal(first.test.images, second.test.images)
    assert len(open_data(DataSpec(limit=7)).train) == 70
    joined = torch.cat(
        [part.images.flatten(1) for part in (first.train, first.validation, first.test)]
    )
    assert int(joined.long().sum()) == 15 * 561718  # scikit-learn's digits add up to 561,718


@given(
    counts=st.lists(st.integers(1, 30), min_size=2, max_size=6),
    fraction=st.floats(0.0, 0.99),
    seed=st.integers(0, 1000),
)
def test_a_stratified_split_takes_the_same_share_of_every_class(counts, fraction, seed):
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    rest, chosen = stratified(labels, fraction, generator(seed))
    assert sorted([*rest.tolist(), *chosen.tolist()]) == list(range(len(labels)))
    taken = torch.bincount(labels[chosen], minlength=len(counts)).tolist()
    assert taken == [min(round(count * fraction), max(count - 1, 0)) for count in counts]


def test_inputs_are_normalised_padded_with_black_and_resized():
    images = torch.full((1, 1, 4, 4), 255, dtype=torch.uint8)
    padded = to_input(images, 6, (0.5,), (0.25,))
    assert padded[0, 0, 1:5, 1:5].eq(2.0).all()
    assert padded.sum() == 16 * 2.0 - 20 * 2.0
    smaller = to_input(images, 2, (0.5,), (0.25,))
    torch.testing.assert_close(smaller, torch.full((1, 1, 2, 2), 2.0))


def test_every_sample_is_used_once_and_a_small_last_batch_is_left_out():
    samples = Samples(torch.zeros(70, 1, 1, 1, dtype=torch.uint8), torch.arange(70))
    sizes = [len(labels) for _, labels, _ in shuffled_batches(samples, 32, generator(0))]
    assert sizes == [32, 32]
    seen = torch.cat([indices for _, _, indices in shuffled_batches(samples, 23, generator(0))])
    assert len(seen) == len(set(seen.tolist())) == 69


def test_augmentation_moves_pixels_and_loses_none_inside():
    images = torch.zeros(64, 1, 9, 9, dtype=torch.uint8)
    images[:, 0, 4, 4] = 200
    moved = augment(images, Augmentation(shift=2), generator(0))
    assert moved.sum((1, 2, 3)).eq(200).all()
    places = {tuple(place) for place in (moved[:, 0] > 0).nonzero()[:, 1:].tolist()}
    assert places <= {(row, column) for row in range(2, 7) for column in range(2, 7)}
    assert len(places) > 15
    assert torch.equal(moved, augment(images, Augmentation(shift=2), generator(0)))
    assert images[0, 0, 4, 4] == 200


def test_flips_are_about_half_and_erasing_blackens_a_square():
    images = torch.zeros(400, 1, 1, 2, dtype=torch.uint8)
    images[..., 0] = 9
    flipped = augment(images, Augmentation(flip=True), generator(0))[:, 0, 0, 1].eq(9).sum()
    assert 160 < flipped < 240  # four standard deviations of a fair coin
    white = torch.full((50, 1, 8, 8), 255, dtype=torch.uint8)
    black = augment(white, Augmentation(erase=3), generator(0)).eq(0).sum((1, 2, 3))
    assert black.max() == 9
    assert (black > 0).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "fashion"}, "name\n.*should be .*'fashion-mnist'"),
        ({"validation": 1.0}, "validation\n.*less than 1"),
        ({"limit": -1}, "limit"),
        ({"channels": 0}, "channels"),
        ({"image": 0}, "image\n.*from 1 to 16,777,216 pixels, got 0"),
        ({"image": [8]}, "image\n.*got 1 numbers"),
        ({"image": "8"}, "image\n.*expected pixels"),
    ],
)
def test_impossible_specs_are_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        DataSpec(**changes)


def test_mismatched_samples_are_refused():
    with pytest.raises(InputError, match="2 images came with 3 labels"):
        Samples(torch.zeros(2, 1, 1, 1, dtype=torch.uint8), torch.zeros(3))
    with pytest.raises(InputError, match="uint8"):
        Samples(torch.zeros(2, 1, 1, 1), torch.zeros(2))


@given(counts=st.lists(st.integers(1, 40), min_size=2, max_size=5), seed=st.integers(0, 1000))
def test_balanced_epochs_have_as_many_of_every_class(counts, seed):
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    order = epoch_order(labels, "balanced", generator(seed))
    assert len(order) == len(labels)
    drawn = torch.bincount(labels[order], minlength=len(counts))
    assert int(drawn.max() - drawn.min()) <= 1
    for label, count in enumerate(counts):
        times = torch.bincount(order[labels[order] == label], minlength=len(labels))
        times = times[labels == label]
        assert len(times) == count
        # no image of a class comes again before all others of it did
        assert int(times.max() - times.min()) <= 1
    plain = epoch_order(labels, "plain", generator(seed))
    assert sorted(plain.tolist()) == list(range(len(labels)))


def test_images_need_not_be_square():
    images = torch.arange(2 * 3 * 4, dtype=torch.uint8).reshape(1, 2, 3, 4)
    padded = to_input(images, (5, 6), (0.0, 0.0), (1.0, 1.0))
    assert padded.shape == (1, 2, 5, 6)
    torch.testing.assert_close(padded[:, :, 1:4, 1:5], images / 255)
    assert float(padded.sum()) == pytest.approx(float(images.float().sum()) / 255)
    assert to_input(images, (2, 6), (0.0, 0.0), (1.0, 1.0)).shape == (1, 2, 2, 6)
    assert open_data(DataSpec(image=(8, 12))).image == (8, 12)
