"""The grid of experiments, small and on digits: shared, killed, resumed, and refused."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from types import ModuleType

import pytest
import torch

from tests import needs

EXAMPLES = Path(__file__).parents[3] / "examples"
GRID = EXAMPLES / "convshare" / "grid.py"
QUICK = ("--data", "digits", "--images", "300", "--epochs", "3", "--seeds", "1")
TWO = ("--experiments", "shared-valid+linear", "shared-same+shared-same")


@pytest.fixture(scope="module")
def grid() -> Iterator[ModuleType]:
    """Return the command as a module, its neighbours beside it."""
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(GRID.parent))
        patch.setenv("OMP_NUM_THREADS", "1")
        import grid

        yield grid
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, grid: ModuleType) -> tuple[Path, str]:
    """Return the work folder and the output of a grid that nothing disturbed."""
    work = tmp_path_factory.mktemp("whole")
    said = StringIO()
    with redirect_stdout(said):
        assert grid.main([*QUICK, *TWO, "--work", str(work), "--quiet"]) == 0
    return work, said.getvalue()


def kept(work: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in work.iterdir()}


def test_a_grid_gives_a_table_and_files_and_no_more(whole: tuple[Path, str]) -> None:
    work, table = whole
    rows = [line.split(" | ")[:3] for line in table.splitlines()[2:5]]
    assert rows == [
        ["| linear", "linear", "5,018"],
        ["| shared-valid", "linear", "5,018"],
        # Patches 80, class token 16, positions 272, two blocks of 64 + 30 + 10 + 20 + 19, norm 32,
        # head 170.
        ["| shared-same", "shared-same", "856"],
    ]
    names = sorted(path.name.split("-1-")[0] for path in work.iterdir())
    assert names == ["grid.json", "shared-same+shared-same", "shared-valid+linear", "vit"]
    figures = json.loads((work / "grid.json").read_text())
    assert figures["images"] == {"train": 300, "test": 359, "scored": 359}
    for each in figures["runs"]:
        if not each["experiment"].startswith("shared-same"):
            assert each["accuracy"] > 0.15  # after three epochs, where chance gives a tenth
        assert each["deletion"]["none"] == each["accuracy"]  # of the same 359 images


def test_two_processes_and_a_kill_give_the_same_bytes(
    whole: tuple[Path, str], tmp_path: Path, grid: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*QUICK, *TWO, "--work", str(tmp_path)]
    command = [sys.executable, str(GRID), *arguments, "--jobs", "2"]
    killed = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert killed.stderr is not None
    assert killed.stderr.readline().endswith("of 3\n")  # one is made, others have begun
    os.killpg(killed.pid, signal.SIGKILL)  # the command and its two processes, in the midst
    killed.communicate()
    # A file that a killed process had begun to write, whatever the moment of the kill was.
    (tmp_path / ".shared-same+shared-same-1-0123.checkpoint.safetensors.89ab.tmp").write_bytes(b"0")
    assert "grid.json" not in kept(tmp_path)
    assert grid.main(arguments) == 0
    assert capsys.readouterr().out == whole[1]
    assert kept(tmp_path) == kept(whole[0])


def test_a_training_that_was_cut_short_goes_on_within_itself(
    whole: tuple[Path, str], tmp_path: Path, grid: ModuleType
) -> None:
    """Stopped after its second epoch of three, it takes one more and ends in the same bytes."""
    import grid_jobs

    from partition.progress import Report

    order = grid.order_of(grid.parsed([*QUICK, *TWO, "--work", str(tmp_path)]))

    def stop(event: Report | str) -> None:
        if isinstance(event, Report) and event.done == pytest.approx(2 / 3):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grid_jobs.make_all(order, stop)
    assert any("checkpoint" in name for name in kept(tmp_path))
    assert "vit-1.lock" in kept(tmp_path)
    lines: list[Report | str] = []
    grid_jobs.make_all(order, lines.append)
    said = f"vit-1 was cut short (process {os.getpid()} on "
    assert isinstance(lines[0], str)
    assert lines[0].startswith(said)
    epochs = [each.done for each in lines if isinstance(each, Report) and each.step == "vit-1"]
    # Where it continues, its third epoch, and filed.
    assert epochs == [pytest.approx(2 / 3), 1.0, 1.0]
    expected = {name: data for name, data in kept(whole[0]).items() if name != "grid.json"}
    assert kept(tmp_path) == expected


def test_a_run_that_another_process_makes_is_left_to_it(tmp_path: Path, grid: ModuleType) -> None:
    from grid_claims import claim

    with claim(tmp_path / "run.lock") as held:
        assert held is not None
        assert held.cut_short == ""
        code = (
            f"import sys; sys.path.insert(0, {str(GRID.parent)!r})\n"
            "from pathlib import Path; from grid_claims import claim\n"
            f"with claim(Path({str(tmp_path / 'run.lock')!r})) as held: print(held)"
        )
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                               check=True, cwd=EXAMPLES.parent)  # fmt: skip
        assert other.stdout == "None\n"
    with claim(tmp_path / "run.lock") as held:
        assert held is not None
        assert held.cut_short == ""  # it ended as it should


def test_the_lock_of_a_process_that_was_killed_once_its_run_was_filed_goes(
    whole: tuple[Path, str], tmp_path: Path, grid: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, data in kept(whole[0]).items():
        if name != "grid.json":
            (tmp_path / name).write_bytes(data)
    (tmp_path / "vit-1.lock").write_text("process 1 on elsewhere\n")
    assert grid.main([*QUICK, *TWO, "--work", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == (whole[1], "")
    assert kept(tmp_path) == kept(whole[0])


def test_a_lock_that_its_holder_removed_is_not_the_next_ones(
    tmp_path: Path, grid: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opened before it was removed and locked after: what is held must be the file of that name."""
    import grid_claims

    path, lock, removed = tmp_path / "run.lock", fcntl.flock, []

    def late(handle: int, operation: int) -> None:
        if not removed:
            path.unlink()
            removed.append(handle)
        lock(handle, operation)

    monkeypatch.setattr("fcntl.flock", late)
    with grid_claims.claim(path) as held:
        assert held is not None
        assert path.read_text().startswith("process ")
    assert removed
    assert not path.exists()


def test_a_damaged_run_is_made_again(
    whole: tuple[Path, str], tmp_path: Path, grid: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, data in kept(whole[0]).items():
        (tmp_path / name).write_bytes(data[:1000] if name.startswith("vit") else data)
    assert grid.main([*QUICK, *TWO, "--work", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert said.out == whole[1]
    assert said.err.count("of 3") == 1
    assert kept(tmp_path) == kept(whole[0])


def test_the_table_is_made_again_without_training(
    whole: tuple[Path, str], grid: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert grid.main(["--table", str(whole[0] / "grid.json")]) == 0
    assert capsys.readouterr().out == whole[1]


def test_finished_runs_are_told_of_and_put_into_a_page(
    whole: tuple[Path, str], tmp_path: Path, grid: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- table -->\nold\n<!-- end of table -->\nafter\n")
    four = (*TWO, "shared-same+linear")
    work = ("--work", str(whole[0]), "--out", str(tmp_path / "figures.json"))
    assert grid.main([*QUICK, *four, *work, "--so-far", "--page", str(page)]) == 0
    assert capsys.readouterr().out == whole[1]
    expected = f"before\n<!-- table -->\n{whole[1]}<!-- end of table -->\nafter\n"
    assert page.read_text() == expected
    (tmp_path / "plain.md").write_text("no marks")
    for name, told in (("plain.md", "needs lines <!-- table -->"), ("no.md", "cannot read")):
        figures = ["--table", str(whole[0] / "grid.json"), "--page", str(tmp_path / name)]
        assert grid.main(figures) == 2
        assert told in capsys.readouterr().err
    assert grid.main([*QUICK, "--so-far", "--work", str(tmp_path / "none")]) == 2
    assert "no run of this grid is finished" in capsys.readouterr().err


def test_the_page_holds_the_table_of_the_figures_beside_it(
    grid: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert grid.main(["--table"]) == 0
    page = (EXAMPLES / "results" / "convshare-grid.md").read_text()
    assert capsys.readouterr().out in page


def test_differences_are_of_pairs_that_differ_in_padding_alone(grid: ModuleType) -> None:
    from grid_experiments import GRID as TWELVE
    from grid_table import _differences

    runs = []
    for seed in (1, 2):
        for each in TWELVE:
            valid = each.attention.endswith("valid")
            gain = 0.1 * seed if valid and each.attention.startswith("shared") else 0.0
            figures = {"score": 0.2 + gain, "within_class": 0.1, "accuracy": 0.5 + gain}
            runs.append({"experiment": each.name, "seed": seed, **figures})
    # Gains of 0.1 and 0.2: 0.15 on average, ± 12.706 · 0.0707 / √2 = 0.635.
    shared, unshared = _differences(runs)
    assert "2 seeds: attention score 0.15 ± 0.64 (within classes 0.00 ± 0.00)" in shared
    assert "accuracy 15.0 ± 63.5 points" in shared
    assert "attention score 0.00 ± 0.00" in unshared
    assert "1 seed: attention score 0.10 (" in _differences(runs[:-1][: len(TWELVE)])[0]
    assert _differences(runs[:4]) == []


def test_the_picture_is_drawn_of_kept_figures(
    whole: tuple[Path, str], tmp_path: Path, grid: ModuleType
) -> None:
    needs.MATPLOTLIB.require()
    import grid_pictures
    from PIL import Image

    kept_figures, nowhere = str(whole[0] / "grid.json"), str(tmp_path / "nowhere")
    arguments = ["--table", kept_figures, "--work", nowhere, "--out", str(tmp_path)]
    assert grid_pictures.main(arguments) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["accuracy-score.png"]
    with Image.open(tmp_path / "accuracy-score.png") as picture:
        colours = picture.convert("RGB").getcolors(maxcolors=10**6)
    assert colours is not None
    assert len(colours) > 50  # more than empty axes
    assert grid_pictures.main(["--table", nowhere]) == 2


def test_spreads_are_students(grid: ModuleType) -> None:
    """Of 1, 2, 3: mean 2, deviation 1, and 4.303/√3 = 2.484."""
    from grid_table import _spread

    assert _spread([1.0, 2.0, 3.0], 2) == "2.00 ± 2.48"
    assert _spread([-0.4, -0.4], 0) == "0 ± 0"
    assert _spread([-1.5], 1) == "−1.5"
    assert _spread([1.0, None], 1) == "–"


@pytest.mark.parametrize("size", [(), ("--full",)], ids=["small", "full"])
def test_cifar_100_is_taken_where_the_user_has_it(
    size: tuple[str, ...], tmp_path: Path, grid: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """On noise in that data set's format, one image of each class."""
    noise = torch.randint(256, (100, 3074), dtype=torch.uint8, generator=torch.Generator())
    noise[:, 1] = torch.arange(100)  # the fine label, after the coarse one
    for name in ("train.bin", "test.bin"):
        (tmp_path / name).write_bytes(noise.numpy().tobytes())
    (tmp_path / "fine_label_names.txt").write_text("\n".join(f"class {n}" for n in range(100)))
    arguments = ["--data", "cifar-100", "--folder", str(tmp_path), *size, "--device", "cpu"]
    arguments += ["--experiments", "vit", "--images", "100", "--epochs", "1", "--seeds", "1"]
    assert grid.main([*arguments, "--work", str(tmp_path / "work")]) == 0
    row = capsys.readouterr().out.splitlines()[2].split(" | ")
    # Patches, class token and positions, blocks of four norms and four layers, norm, head.
    width, depth = (64, 8) if size else (36, 3)
    block = 4 * width + 8 * width**2 + 3 * width + width + 2 * width + width
    expected = 49 * width + 66 * width + depth * block + 2 * width + 100 * (width + 1)
    assert row[2] == f"{expected:,}"
    assert row[4] == "–"  # a ViT alone has no other to agree with


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--experiments", "shared-vali+linear"), "(did you mean 'shared-valid+linear'?)"),
        (("--data", "fashion"), "unknown data set 'fashion'"),
        (("--data", "cifar-100"), "the files of cifar-100 were not found"),
        (("--data", "fashion-mnist", "--folder", "nowhere"), "were not found in nowhere"),
        (("--images", "5"), "--images must be 0 (all) or at least 10, not 5"),
        (("--epochs", "0"), "--epochs must be at least 1, not 0"),
        (("--seeds", "1", "1"), "--seeds must be different numbers from 0 on"),
        (("--seeds", "-1"), "--seeds must be different numbers from 0 on"),
        (("--jobs", "0"), "--jobs must be at least 1, not 0"),
        (("--table", "nowhere.json"), "cannot read nowhere.json: No such file or directory"),
        (("--work", str(GRID)), "cannot write"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_input_is_told_in_one_line(
    arguments: tuple[str, ...], told: str, grid: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    status = grid.main([*QUICK, *arguments])
    said = capsys.readouterr()
    assert status == (1 if "--work" in arguments else 2)
    assert said.out == ""
    assert said.err.startswith("grid: ")
    assert told in said.err
    assert said.err.count("\n") == 1
