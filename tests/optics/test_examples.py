"""Every example of the library draws its picture, small."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from tests import needs

EXAMPLES = Path(__file__).parents[2] / "examples" / "optics"
PARTS = ("drawing.py", "own_digits.py")
SCRIPTS = sorted(path for path in EXAMPLES.glob("*.py") if path.name not in PARTS)

needs.MATPLOTLIB.require()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_example_draws_its_picture(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    picture = tmp_path / "made" / "picture.png"
    monkeypatch.setattr(sys, "argv", [str(script), "--small", "--out", str(picture)])
    monkeypatch.syspath_prepend(str(EXAMPLES))
    runpy.run_path(str(script), run_name="__main__")
    assert [path.name for path in picture.parent.iterdir()] == ["picture.png"]
    with Image.open(picture) as image:
        assert image.width >= 600
        colours = image.convert("RGB").getcolors(maxcolors=10**6)
    assert colours is not None
    assert len(colours) > 50  # more than empty axes


def test_pictures_kept_in_the_tree_are_of_examples_and_small() -> None:
    kept = list((EXAMPLES / "figures").glob("*"))
    assert {path.stem for path in kept} == {path.stem for path in SCRIPTS}
    assert max(path.stat().st_size for path in kept) < 300_000
