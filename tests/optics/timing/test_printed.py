"""The times in print come out of planner and preset, with the tilings that print allows."""

from __future__ import annotations

import pytest

from optics.presets import preset
from optics.tiling import ConvShape, plan, tiles, usable_plane
from optics.timing import NetworkTiming, time_network


def layers(rows: list[tuple[int, int, int, int]], batch: int) -> list[ConvShape]:
    """Layers from (channels in, channels out, image side, kernel side), padded to their size."""
    return [
        ConvShape(
            batch=batch, in_channels=i, out_channels=o, size=(m, m), kernel=(n, n),
            padding=(((n - 1) // 2, n // 2),) * 2,
        )
        for i, o, m, n in rows
    ]  # fmt: skip


def resnet18(batch: int) -> list[ConvShape]:
    """ResNet-18 as FatNet counts it: 1,220,800 pairs of channels."""
    rows = [(3, 64, 32, 3)]
    for width, side in ((64, 32), (128, 16), (256, 8), (512, 4)):
        rows += [(rows[-1][1], width, side, 3)] + [(width, width, side, 3)] * 3
    return layers(rows, batch)


def fatnet(batch: int) -> list[ConvShape]:
    """FatNet's layers before its classifier, by the authors' public model: 148,637 pairs.

    Kernels of 7 on 32 x 32 images are its largest tile, 38 pixels: hence a batch of 3136.
    """
    rows = [(3, 64, 32, 7)] + [(64, 64, 16, 3)] * 4
    rows += [(64, 82, 16, 4)] + [(82, 82, 10, 5)] * 3
    rows += [(82, 78, 10, 7)] + [(78, 78, 10, 10)] * 3
    rows += [(78, 151, 10, 10), (151, 155, 10, 10), (155, 151, 10, 10), (151, 155, 10, 10)]
    return layers(rows, batch)


def as_printed(shapes: list[ConvShape]) -> NetworkTiming:
    """One frame for a pair of channels, images side by side, kernels split into + and -."""
    return time_network(preset("fatnet-2160"), shapes, along=["images"], passes=2)


def test_images_per_frame() -> None:
    plane = usable_plane(preset("fatnet-2160"))
    assert plane == (2160, 2160)
    assert min(tiles(shape, plane) for shape in fatnet(1)) == 3136


@pytest.mark.parametrize(
    ("shapes", "pairs", "printed_s"),
    [(resnet18(64), 1_220_800, "3.815e-02"), (fatnet(3136), 148_637, "9.479e-05")],
    ids=["ResNet-18", "FatNet"],
)
def test_times_in_print_to_four_digits(shapes: list[ConvShape], pairs: int, printed_s: str) -> None:
    assert sum(shape.pairs for shape in shapes) == pairs
    network = as_printed(shapes)
    assert network.exposures == 2 * pairs
    assert f"{network.per_image_s:.3e}" == printed_s


def test_mixed_tilings_take_fewer_frames_than_print() -> None:
    # Print fills 64 of 3969 tiles for ResNet-18, and adds no channels in the field; our plan takes
    # 2,868 frames for 2,441,600, and 68,476 for 297,274 of FatNet, whose batch fills the plane.
    for shapes, least in ((resnet18(64), 850), (fatnet(3136), 4.3)):
        mixed = time_network(preset("fatnet-2160"), shapes, passes=2)
        assert as_printed(shapes).total_s / mixed.total_s > least
        plane = usable_plane(preset("fatnet-2160"))
        for layer in mixed.layers:
            pairs = layer.layout.shape.batch * layer.layout.shape.pairs
            assert layer.exposures >= 2 * pairs / tiles(layer.layout.shape, plane)


def test_real_mirrors_are_far_slower_than_print() -> None:
    # FatNet's accounting on the parts that one can buy: 50 us a frame against 1 us.
    shape = ConvShape(batch=1, in_channels=8, out_channels=8, size=(32, 32), kernel=(3, 3))
    real = preset("dmd-dlp7000")
    layout = plan(shape, usable_plane(real), passes=2, along=["images"])
    (timing,) = time_network(real, [shape], along=["images"]).layers
    assert timing.exposures == layout.frames == 128
    assert timing.frame_s == pytest.approx(50e-6)
