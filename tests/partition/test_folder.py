"""Image folders: every file read as it is meant, or counted; damaged ones named or left out."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from partition.artifact import load_artifact
from partition.data import open_data
from partition.data.decode import decode
from partition.errors import InputError
from partition.pipeline import run
from partition.recipe import DataSpec
from tests.partition.test_run import SMALL, small

IMAGES = Path(__file__).with_name("images")
DAMAGED = ("damaged.bmp", "damaged.png", "damaged.ppm")


def _noise(path, seed, size=(8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


@pytest.fixture
def folder(tmp_path):
    for label, name in enumerate("abc"):
        for number in range(10):
            _noise(tmp_path / "in" / name / f"{number}.png", 10 * label + number)
    return tmp_path / "in"


def _spec(folder, **values):
    return DataSpec(**{"name": "folder", "folder": str(folder), "image": 8, **values})


def test_sixteen_bits_are_scaled_to_eight(tmp_path):
    assert round(float(decode(IMAGES / "gray16.png", (32, 32), 1).double().mean()), 1) == 126.4
    levels = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    Image.fromarray(levels).save(tmp_path / "ramp.png")
    (tmp_path / "ramp.pgm").write_bytes(b"P5 64 64 65535\n" + levels.astype(">u2").tobytes())
    expected = np.round(levels.astype(np.float64) * 255 / 65535).astype(np.uint8)
    for name in ("ramp.png", "ramp.pgm"):
        assert np.array_equal(decode(tmp_path / name, (64, 64), 1)[0].numpy(), expected)
    Image.fromarray(levels.astype(np.int32)).save(tmp_path / "ramp.tif")
    with pytest.raises(InputError, match=r"ramp\.tif: its pixels are 32-bit integers"):
        decode(tmp_path / "ramp.tif", (64, 64), 1)


@pytest.mark.parametrize(("orientation", "turns"), [(3, 2), (6, 3), (8, 1)])
def test_the_orientation_of_exif_is_applied(tmp_path, orientation, turns):
    pixels = _noise(tmp_path / "plain.png", 1)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    turned = decode(tmp_path / "turned.png", (8, 8), 3).permute(1, 2, 0).numpy()
    assert np.array_equal(turned, np.rot90(pixels, turns))


def test_nested_tif_and_gif_are_read_and_other_files_are_counted(folder):
    _noise(folder / "a" / "day" / "one" / "x.tif", 100)
    _noise(folder / "b" / "Y.GIF", 101)
    for name in ("a/notes.txt", "a/day/list.csv", "b/other.txt", "README"):
        (folder / name).write_text("x")
    os.mkfifo(folder / "c" / "pipe.png")
    (folder / "c" / "zero.png").symlink_to("/dev/zero")
    (folder / "c" / "gone.jpg").symlink_to("nowhere.jpg")
    (folder / "c" / ".thumbs").write_text("x")
    notes = []
    data = open_data(_spec(folder, test=0.1), lambda report: notes.append(report.note))
    everything = [len(samples) for samples in data.splits.values()]
    assert sum(everything) == 32
    assert [note for note in notes if note] == [
        "left out, as their names are not of images: 1 .csv, 2 .txt, 1 without a suffix; "
        f"the first is {folder / 'README'}",
        "left out, as they are no files (pipes, devices, or links to folders or to nothing): "
        + ", ".join(str(folder / "c" / name) for name in ("gone.jpg", "pipe.png", "zero.png")),
    ]


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_one_message_with_its_name(folder, name):
    shutil.copy(IMAGES / name, folder / "b")
    with pytest.raises(InputError, match=rf"cannot decode .*/b/{name}: .*--skip-damaged") as caught:
        open_data(_spec(folder))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("damaged.bmp", "its header says more than 178,956,970 pixels"),
        ("damaged.png", "it is damaged or cut short"),
        ("text.png", "it is no image, or its header is damaged"),
        ("gone.png", "it cannot be read (No such file or directory)"),
    ],
)
def test_the_reason_is_plain(tmp_path, name, why):
    if name == "text.png":
        (tmp_path / name).write_text("not an image")
    elif name != "gone.png":
        shutil.copy(IMAGES / name, tmp_path)
    with pytest.raises(InputError) as caught:
        decode(tmp_path / name, (8, 8), 3)
    assert f"cannot decode {tmp_path / name}: {why}; repair" in str(caught.value)


def test_a_folder_is_called_by_its_name(folder, tmp_path):
    assert open_data(_spec(folder)).name == folder.name
    odd = tmp_path / "odd\nname"
    folder.rename(odd)
    assert open_data(_spec(odd)).name == "odd?name"


def test_damaged_files_are_skipped_counted_and_listed(folder, tmp_path):
    whole = open_data(_spec(folder))
    for name in DAMAGED:
        shutil.copy(IMAGES / name, folder / "b")
    (folder / "b" / "0.png").write_bytes((folder / "b" / "0.png").read_bytes()[:80])
    notes = []
    recipe = small(data={**DAMAGED_DATA, "folder": str(folder)})
    manifest = run(recipe, tmp_path / "out", lambda report: notes.append(report.note))
    skipped = ["b/0.png", *(f"b/{name}" for name in DAMAGED)]
    assert [note for note in notes if note and "damaged" in note] == [
        "4 of 33 images are damaged and left out: " + ", ".join(str(folder / s) for s in skipped)
    ]
    assert (manifest.data.skipped, list(manifest.data.skipped_files)) == (4, skipped)
    assert sum(vars(manifest.data.images).values()) == 29
    assert sum(len(samples) for samples in whole.splits.values()) == 30
    document = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert document["data"]["skipped_files"] == skipped


DAMAGED_DATA = {"name": "folder", "image": 8, "test": 0.2, "skip_damaged": True}


def test_a_class_of_which_nothing_is_left_is_named(folder):
    for path in (folder / "c").iterdir():
        path.write_bytes(b"x")
    with pytest.raises(InputError, match="no training images of class 'c' are left"):
        open_data(_spec(folder, skip_damaged=True))


def test_a_limit_acts_before_anything_is_decoded(folder, monkeypatch):
    seen = []

    def counting(path, *given):
        seen.append(path)
        return decode(path, *given)

    monkeypatch.setattr("partition.data.files.decode", counting)
    data = open_data(_spec(folder, limit=2))
    assert [len(samples) for samples in data.splits.values()] == [6, 3, 6]
    assert len(seen) == len(set(seen)) == 15


def test_memory_is_bounded_and_what_is_not_kept_is_decoded_again(folder, tmp_path, monkeypatch):
    recipe = small(data={"name": "folder", "folder": str(folder), "image": 8})
    run(recipe, tmp_path / "kept")
    monkeypatch.setattr("partition.data.files.KEPT_BYTES", 5 * 3 * 64 + 7)
    data = open_data(recipe.data)
    data.train.images[:]
    assert len(data.train.images._store.kept) == 5
    assert data.train.images._store.kept_bytes == 5 * 3 * 64
    run(recipe, tmp_path / "decoded")
    for name in ("manifest.json", "fusion.safetensors", "part-0.safetensors"):
        assert (tmp_path / "kept" / name).read_bytes() == (tmp_path / "decoded" / name).read_bytes()


def test_statistics_are_those_of_the_pixels(folder):
    data = open_data(_spec(folder))
    pixels = data.train.images[:].double() / 255
    torch.testing.assert_close(torch.tensor(data.mean).double(), pixels.mean((0, 2, 3)))
    deviation = pixels.std((0, 2, 3), correction=0)
    torch.testing.assert_close(torch.tensor(data.std).double(), deviation)


def test_splits_of_ones_own_are_used(folder):
    for number, name in enumerate(("test", "val")):
        for label in "abc":
            _noise(folder.parent / "all" / name / label / "0.png", 200 + number)
    shutil.copytree(folder, folder.parent / "all" / "train")
    data = open_data(_spec(folder.parent / "all"))
    assert {name: len(samples) for name, samples in data.splits.items()} == {
        "train": 30,
        "validation": 3,
        "test": 3,
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda root: shutil.rmtree(root / "test"), r"has train/, val/ and no test/; add test/"),
        (
            lambda root: (root / "test" / "c").rename(root / "test" / "d"),
            r"class 'd' is in .*/test and not in .*/train",
        ),
        (lambda root: shutil.rmtree(root / "test" / "a"), "class 'a' is in .*/train and not in"),
        (lambda root: (root / "val" / "b" / "0.png").unlink(), r"class folder .*/val/b has no im"),
        (lambda root: (root / "val").rename(root / "validation"), None),
        (lambda root: (root / "validation").mkdir(), r"has validation/ and val/; keep one"),
    ],
)
def test_splits_that_disagree_are_named(folder, change, message):
    root = folder.parent / "all"
    for name in ("train", "test", "val"):
        shutil.copytree(folder, root / name)
        for path in root.glob(f"{name}/*/[1-9].png"):
            if name != "train":
                path.unlink()
    change(root)
    if message is None:
        assert len(open_data(_spec(root)).validation) == 3
        return
    with pytest.raises(InputError, match=message):
        open_data(_spec(root))


def test_one_class_and_empty_folders_are_named(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(InputError, match=r"class folder .*/a has no images"):
        open_data(_spec(tmp_path))
    with pytest.raises(InputError, match="has no sub-folders"):
        open_data(_spec(tmp_path / "a"))
    _noise(tmp_path / "a" / "0.png", 0)
    with pytest.raises(InputError, match="has one class, 'a'; a classifier needs"):
        open_data(_spec(tmp_path))


def test_a_folder_is_known_by_its_pixels(folder, tmp_path):
    recipe = small(data={"name": "folder", "folder": str(folder), "image": 8})
    for count in (1, 2):
        run(recipe, tmp_path / "out", work_dir=tmp_path / "work")
        assert len(list((tmp_path / "work").glob("unsplit-*"))) == count
        _noise(folder / "a" / "0.png", 999)


def test_images_of_any_shape_and_any_number_of_channels(folder, tmp_path):
    data = open_data(_spec(folder, image=(8, 12)))
    assert data.train.images.shape[1:] == (3, 8, 12)
    draw = np.random.default_rng(0)
    for label in "ab":
        (tmp_path / "bands" / label).mkdir(parents=True)
        for number in range(6):
            bands = draw.integers(0, 65536, (8, 12, 5), dtype=np.uint16)
            np.save(tmp_path / "bands" / label / f"{number}.npy", bands)
    recipe = small(
        data={"name": "folder", "folder": str(tmp_path / "bands"), "image": [8, 12], "channels": 5},
        model={**SMALL["model"], "patch": 4}, split={"parts": 2},
    )  # fmt: skip
    manifest = run(recipe, tmp_path / "out")
    assert (manifest.data.image, manifest.data.channels) == ((8, 12), 5)
    assert manifest.recipe == recipe
    loaded = load_artifact(tmp_path / "out")
    test = open_data(recipe.data).test
    expected = np.round(np.load(tmp_path / "bands" / "a" / "0.npy") * (255 / 65535))
    first = decode(tmp_path / "bands" / "a" / "0.npy", (8, 12), 5)
    assert np.array_equal(first.permute(1, 2, 0).numpy(), expected)
    assert loaded.answer(loaded.to_input(test.images[:])).shape == (len(test), 2)
    with pytest.raises(InputError, match=r"its shape is \(8, 12, 5\); expected \(height, width, 3"):
        open_data(_spec(tmp_path / "bands"))
    with pytest.raises(InputError, match=r"images of 5 channels must be arrays, in files \.npy"):
        open_data(_spec(folder, channels=5))


def test_arrays_are_resized_as_their_middle_is_cut_out(tmp_path):
    pixels = np.full((10, 20, 1), 200, dtype=np.uint8)
    pixels[:, :5] = pixels[:, 15:] = 0
    np.save(tmp_path / "a.npy", pixels)
    assert decode(tmp_path / "a.npy", (10, 10), 1).eq(200).all()
    small_one = decode(tmp_path / "a.npy", (5, 4), 1)
    assert small_one.shape == (1, 5, 4)
    assert small_one[:, :, 1:3].ge(195).all()
    np.save(tmp_path / "b.npy", np.zeros((4, 4), dtype=np.float32))
    with pytest.raises(InputError, match="its numbers are float32; expected uint8 or uint16"):
        decode(tmp_path / "b.npy", (4, 4), 1)
    np.save(tmp_path / "c.npy", np.array([None]), allow_pickle=True)
    with pytest.raises(InputError, match=r"cannot decode .*c\.npy"):
        decode(tmp_path / "c.npy", (4, 4), 1)
    # 20 kB that would be 4 GB when as high as the images.
    np.save(tmp_path / "line.npy", np.zeros((1, 20_000), dtype=np.uint8))
    with pytest.raises(InputError, match=r"line\.npy: it has 1 x 20000 pixels: scaled"):
        decode(tmp_path / "line.npy", (224, 224), 1)
    np.save(tmp_path / "wide.npy", np.full((4, 400), 7, dtype=np.uint8))
    assert decode(tmp_path / "wide.npy", (8, 8), 1).eq(7).all()
