"""The name that a mistyped one is meant for, and none rather than a wrong one."""

from __future__ import annotations

import pytest

from edgesim.common.errors import nearest
from edgesim.graph import zoo
from edgesim.hardware import catalog

MEANT = [
    ("vit_base", "vit_base_patch16_224"),
    ("ViT-B/16", "vit_base_patch16_224"),
    ("ResNet-50", "resnet50"),
    ("mobilenet_v2", "mobilenetv2_100"),
    ("vit_tiny_patch16_225", "vit_tiny_patch16_224"),
    ("pi5", "raspberry-pi-5"),
    ("rpi4", "raspberry-pi-4b"),
    ("raspberrypi4", "raspberry-pi-4b"),
    ("raspbery-pi-4b", "raspberry-pi-4b"),
    ("rtx4090", "nvidia-rtx-4090"),
    ("a100", "nvidia-a100"),
]
UNKNOWN = [
    "orange-pi-5", "banana-pi", "jetson-tx2", "coral-tpu", "macbook", "gtx1080", "efficientnet_b0",
    "yolov8", "vgg16", "resnet20", "bert", "5", "é", "",
]  # fmt: skip


@pytest.mark.parametrize(("name", "meant"), MEANT)
def test_the_name_that_is_meant(name: str, meant: str) -> None:
    assert nearest(name, [*zoo.names(), *catalog.names()]) == f" (did you mean '{meant}'?)"


@pytest.mark.parametrize("name", UNKNOWN)
def test_no_name_rather_than_a_wrong_one(name: str) -> None:
    assert nearest(name, [*zoo.names(), *catalog.names()]) == ""


@pytest.mark.parametrize("name", ["heigth", "heiht", "heightt", "hxight", "HEIGHT"])
def test_one_letter_of_a_key(name: str) -> None:
    assert nearest(name, ["width", "height"]) == " (did you mean 'height'?)"
