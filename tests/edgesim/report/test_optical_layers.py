"""What is told of layers on light: sums, pictures of planes that show the layout, whole lines."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from edgesim.common.errors import InputError
from edgesim.hardware.optical_4f.planes import Planes
from edgesim.report import device_layers, device_tables
from edgesim.report.run_tables import energy_by_part
from optics.tiling import ConvShape, Layout, Split

DMD, LCOS = "4f-dmd-dlp7000", "4f-lcos-pluto"


def told(device: str, layer: str | None = None, batch: int = 1) -> device_layers.Explained:
    return device_layers.explain(device, "resnet18", layer, batch=batch)


def printed(what: device_layers.Explained, width: int) -> str:
    file = io.StringIO()
    device_layers.show(what, Console(file=file, width=width, highlight=False))
    return file.getvalue()


@pytest.mark.parametrize("layer", [None, "layer1.0.conv1", "fc"])
@pytest.mark.parametrize("width", [80, 100, 120])
def test_tables_fit_and_cut_nothing(width: int, layer: str | None) -> None:
    text = printed(told(LCOS, layer, 8), width)
    assert max(map(len, text.split("\n"))) <= width
    assert "…" not in text


def test_layers_of_a_model_sum_to_its_whole() -> None:
    document = told(DMD, batch=8).document
    rows = document["layers"]
    assert document["frames"] == sum(row["frames"] for row in rows)
    assert document["time_s"] == pytest.approx(math.fsum(row["time_s"] for row in rows))
    assert document["time_s"] == pytest.approx(document["light_s"] + document["host_s"])
    assert document["energy_j"] == pytest.approx(math.fsum(row["energy_j"] for row in rows))
    parts = document["energy_by_part_j"].values()
    assert document["energy_j"] == pytest.approx(math.fsum(parts))
    assert [row["where"] for row in rows[:2]] == ["light", "host"]
    json.dumps(document, allow_nan=False)


def test_one_layer_is_told_as_planned() -> None:
    document = told(DMD, "layer2.0.conv1", 8).document
    # 64 channels into 128, eight images of 56 x 56 at a time, four passes.
    assert document["frames"] == 64 * 128 * 4
    assert document["rounds"] == {"groups": 1, "channels": 64, "images": 1, "kernels": 128}
    assert document["tile"] == [58, 58]
    assert document["limit"] == "link in"
    assert document["joules_per_mac"] == pytest.approx(document["energy_j"] / 462_422_016)
    by_layer = {row["operators"][0]: row for row in told(DMD, batch=8).document["layers"]}
    assert by_layer["layer2.0.conv1"]["time_s"] == document["time_s"]
    assert by_layer["layer2.0.conv1"]["energy_j"] == pytest.approx(document["energy_j"])
    json.dumps(told("4f-fatnet-2160", "fc").document, allow_nan=False)


# Twelve pixels, tiles of 4: two images at the top left of each other's right.
LAYOUT = Layout(
    shape=ConvShape(batch=2, in_channels=1, out_channels=1, size=(4, 4), kernel=(1, 1)),
    plane=(4, 12),
    split=Split(images=(1, 2)),
)


def test_pictures_in_text_are_drawn_from_the_rectangles_of_the_layout() -> None:
    # Panels of 24 characters for 12 pixels: two characters a pixel; images at columns 2 to 9.
    (title, top, *lines, bottom) = Planes(LAYOUT).text(width=2 * 2 + 3 * 26)
    (first, second) = LAYOUT.image_rectangles(next(iter(LAYOUT)))
    assert (first.left, second.left) == (2, 6)
    assert title.split("  ")[0].strip() == "input: 2 maps"
    assert top.startswith("┌" + "─" * 24 + "┐  ┌")
    assert bottom.count("└") == 3
    assert {line[:26] for line in lines} == {"│" + " " * 4 + "█" * 16 + " " * 4 + "│"}
    # A kernel of one pixel at column 6, row 2 of 4.
    kernel = [line[28:54] for line in lines]
    assert kernel[2] == "│" + " " * 12 + "██" + " " * 10 + "│"
    assert all("█" not in line for number, line in enumerate(kernel) if number != 2)


def test_shades_tell_how_much_is_covered() -> None:
    layout = Layout(
        shape=ConvShape(batch=1, in_channels=1, out_channels=1, size=(1, 1), kernel=(1, 1)),
        plane=(480, 480),
    )
    lines = Planes(layout).text(width=82)
    # One pixel of 20 x 40: the lightest shade.
    assert sum(line.count("░") for line in lines) == 3
    assert not any(shade in line for line in lines for shade in "▒▓█")


def test_svg_holds_every_tile_to_scale(tmp_path: Path) -> None:
    path = tmp_path / "planes.svg"
    what = device_layers.explain(LCOS, "resnet18", "layer1.0.conv1", batch=8, out=path)
    assert isinstance(what.picture, Planes)
    layout = what.picture.layout
    root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    space = "{http://www.w3.org/2000/svg}"
    groups = root.findall(f"{space}g")
    frame = next(iter(layout))
    rows, columns = layout.plane
    for group, tiles in zip(
        groups,
        (
            layout.image_rectangles(frame),
            layout.kernel_rectangles(frame),
            layout.output_rectangles(frame),
        ),
    ):
        plane, *drawn = group.findall(f"{space}rect")
        assert len(drawn) == len(tiles)
        scale = float(plane.attrib["width"]) / columns
        assert float(plane.attrib["height"]) == pytest.approx(rows * scale, abs=0.1)
        for rectangle, tile in zip(drawn, tiles):
            assert float(rectangle.attrib["x"]) == pytest.approx(tile.left * scale, abs=0.1)
            assert float(rectangle.attrib["y"]) == pytest.approx(tile.top * scale, abs=0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((None, "resnet18", None), "name both"),
        ((DMD, None, "fc"), "name both"),
        ((DMD, "resnet18", "bn1"), "'bn1' is no layer on light of resnet18"),
        ((DMD, "resnet18", "layer1.0.conv3"), "did you mean 'layer1.0.conv"),
        ((DMD, "ressnet18", None), "did you mean 'resnet18'"),
    ],
)
def test_what_is_not_there_is_named(arguments: tuple[str | None, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        device_layers.explain(*arguments)


def test_pictures_are_svg_of_one_layer(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"name a file that ends in \.svg"):
        device_layers.explain(DMD, "resnet18", "fc", out=tmp_path / "x.png")
    with pytest.raises(InputError, match="name it with --layer"):
        device_layers.explain(DMD, "resnet18", None, out=tmp_path / "x.svg")
    assert not list(tmp_path.iterdir())


def test_devices_lists_accelerators_with_their_pace_and_finite_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(device_tables, "predictions", lambda _: [])  # they take long
    document = device_tables.every()
    json.dumps(document, allow_nan=False)
    paces = {row["name"]: row["pace"] for row in document["devices"]}
    # 50 us a frame, printed 1 us, and 60 Hz.
    assert paces[DMD] == "710×710 at 20 kHz"
    assert paces["4f-fatnet-2160"] == "2160×2160 at 1 MHz"
    assert paces[LCOS] == "662×883 at 60 Hz"


def test_a_devices_parts_are_told_with_the_sources_of_the_preset() -> None:
    figures = {one["figure"]: one for one in device_tables.one(DMD)["figures"]}
    assert figures["camera.exposure"]["value"] == "37.5 us"
    assert "12.5 us for the mirrors to settle" in figures["camera.exposure"]["source"]
    assert figures["input.pitch"]["value"] == "13.68 um"
    assert figures["laser.power"]["source"].startswith("estimate")
    assert figures["host.power.busy"]["value"] == "165 W"


def test_energy_by_part_sums_nodes_of_a_device() -> None:
    node = {"device": "x", "energy_by_part_j": {"laser": 1.0, "camera": 3.0, "dac": 0.0}}
    summary = {"nodes": {"a": node, "b": node, "c": {"device": "plain"}}}
    found = energy_by_part(summary)
    assert found is not None
    assert found.head == ["", "x", "share"]
    assert found.lines == [["camera", "6.00 J", "75.0 %"], ["laser", "2.00 J", "25.0 %"]]
    assert energy_by_part({"nodes": {"c": {"device": "plain"}}}) is None
