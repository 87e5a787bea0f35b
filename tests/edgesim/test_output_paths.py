"""Every command makes the folders of its output path that are missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.edgesim.command import edgesim

ROOT = Path(__file__).parents[2]
STUDY = """
base: {file}
axes: {{seed: [1]}}
keep: [latency_s.p50]
"""


@pytest.mark.parametrize(
    ("words", "made"),
    [
        (("init", "new/folder"), "cluster.yaml"),
        (("run", "one.yaml", "--out", "new/folder"), "summary.json"),
        (("sweep", "study.yaml", "--out", "new/folder"), "table.csv"),
        (("trace", "resnet18", "-o", "new/folder/net.graph.json"), "net.graph.json"),
        (("devices", "4f-lcos-pluto", "--model", "resnet18", "--layer", "layer1.0.conv1",
          "--out", "new/folder/layer.svg"), "layer.svg"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)  # fmt: skip
def test_missing_folders_are_made(tmp_path: Path, words: tuple[str, ...], made: str) -> None:
    text = (ROOT / "examples" / "five-pis.yaml").read_text()
    (tmp_path / "one.yaml").write_text(text.replace("requests: 1000", "requests: 2"))
    (tmp_path / "study.yaml").write_text(STUDY.format(file="one.yaml"))
    done = edgesim(*words, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "new" / "folder" / made).is_file()
    assert str(Path("new", "folder")) in done.stdout
