"""The catalog against published figures."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edgesim.common.errors import InputError
from edgesim.graph import ConvGeometry, MatmulGeometry, OpKind, zoo

# Of timm's models with their own number of classes: parameters, and multiply-accumulates of one
# image by torch's FlopCounterMode on ``meta`` tensors with fused attention (timm 1.0.31, torch
# 2.13).
TIMM = {
    "vit_tiny_patch16_224": (5_717_416, 1_253_683_200),
    "vit_small_patch16_224": (22_050_664, 4_598_882_304),
    "vit_base_patch16_224": (86_567_656, 17_563_828_224),
    "vit_large_patch16_224": (304_326_632, 61_554_712_576),
    "deit_tiny_patch16_224": (5_717_416, 1_253_683_200),
    "deit_tiny_distilled_patch16_224": (5_910_800, 1_261_003_776),
    "deit_base_distilled_patch16_224": (87_338_192, 17_656_811_520),
    "resnet18": (11_689_512, 1_814_073_344),
    "resnet50": (25_557_032, 4_089_184_256),
    "mobilenetv2_100": (3_504_872, 300_774_272),
    "mobilenetv3_small_100": (2_542_856, 56_510_400),
    "mobilenetv3_large_100": (5_483_032, 216_589_760),
    "convnext_tiny": (28_589_128, 4_455_531_264),
    "convnext_small": (50_223_688, 8_683_712_256),
    "swin_tiny_patch4_window7_224": (28_288_354, 4_490_566_656),
    "swin_base_patch4_window7_224": (87_768_224, 15_430_946_816),
    "pvt_v2_b0": (3_666_760, 566_065_664),
    "pvt_v2_b1": (14_009_000, 2_108_355_584),
    "pvt_v2_b2": (25_362_856, 4_026_734_592),
    "efficientformer_l1": (12_289_928, 1_291_284_736),
    "efficientvit_b1": (9_102_024, 519_214_592),
    "efficientvit_b2": (24_330_712, 1_584_937_984),
    "efficientvit_b3": (48_646_056, 3_953_822_208),
    "tiny_vit_5m_224": (12_082_725, 1_261_843_840),
    "convit_small": (27_777_322, 5_746_563_360),
    "crossvit_small_240": (26_856_272, 5_615_557_632),
    "nextvit_small": (31_763_368, 5_794_420_224),
    "volo_d1_224": (26_632_040, 6_918_741_504),
}


@pytest.mark.parametrize("name", TIMM)
def test_parameters_and_macs_are_timms(name: str) -> None:
    graph = zoo.build(name)
    assert (graph.params, graph.macs) == TIMM[name]


# Parameters at 1000 classes, as timm gives them.
@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("vit_base_patch32_224", 88_224_232),
        ("vit_base_patch16_384", 86_859_496),
        ("resnet34", 21_797_672),
        ("resnet101", 44_549_160),
        ("resnet152", 60_192_808),
    ],
)
def test_parameters_are_timms(name: str, params: int) -> None:
    assert zoo.build(name).params == params


# The arithmetic of class-wise splitting: 10 classes, 197 tokens, MiB of fp32. The table rounds to
# its last digit.
@pytest.mark.parametrize(
    ("size", "params_m", "mib", "gmac", "without_products"),
    [
        ("small", 21.670, 82.66, 4.599, 4.241),
        ("base", 85.806, 327.33, 17.563, 16.848),
        ("large", 303.312, 1157.04, 61.554, 59.646),
    ],
)
def test_vit_at_ten_classes(
    size: str, params_m: float, mib: float, gmac: float, without_products: float
) -> None:
    graph = zoo.build(f"vit_{size}_patch16_224", classes=10)
    products = sum(op.macs for op in graph if op.kind is OpKind.ATTENTION)
    assert graph.params / 1e6 == pytest.approx(params_m, abs=0.0005)
    assert graph.weight_bytes("fp32") / 2**20 == pytest.approx(mib, abs=0.005)
    assert graph.macs / 1e9 == pytest.approx(gmac, abs=0.0005)
    assert (graph.macs - products) / 1e9 == pytest.approx(without_products, abs=0.0005)


@pytest.mark.parametrize(
    ("heads", "mib", "gmac"),
    [
        (9, 184.74, 10.035),
        (8, 146.22, 7.990),
        (6, 82.66, 4.599),
        (4, 37.11, 2.136),
        (3, 21.08, 1.253),
        (2, 9.55, 0.603),
    ],
)
def test_sub_models_that_keep_some_heads(heads: int, mib: float, gmac: float) -> None:
    graph = zoo.build(
        "vit_base_patch16_224", classes=10, heads=heads, width=64 * heads, mlp_width=256 * heads
    )
    assert graph.weight_bytes("fp32") / 2**20 == pytest.approx(mib, abs=0.005)
    assert graph.macs / 1e9 == pytest.approx(gmac, abs=0.0005)


def test_headline_of_the_ed_vit_abstract() -> None:
    """Two of twelve heads: 34.1 times smaller; 28.9 times fewer multiply-accumulates."""
    sizes = {"heads": 2, "width": 128, "mlp_width": 512}
    part = zoo.build("vit_base_patch16_224", classes=10, **sizes)
    whole = zoo.build("vit_base_patch16_224", classes=10)
    assert whole.params / part.params == pytest.approx(34.1, rel=0.01)
    assert whole.macs / part.macs == pytest.approx(28.9, rel=0.01)


def test_closed_form_of_a_block() -> None:
    """n (4 d a + 2 d m) + 2 n² a, and the patch embedding and head."""
    n, d, a, m = 65, 48, 5 * 7, 33
    graph = zoo.build(
        "vit_tiny_patch16_224", image_size=32, patch_size=4, channels=1, width=d, depth=3,
        heads=5, head_width=7, mlp_width=m, classes=9,
    )  # fmt: skip
    block = n * (4 * d * a + 2 * d * m) + 2 * n * n * a
    assert graph.macs == 3 * block + 64 * d * 16 + 9 * d
    biases = 3 * a + d + m + d
    params = 3 * (4 * d * a + 2 * d * m + biases + 4 * d) + 16 * d + d + n * d + d + 2 * d
    assert graph.params == params + 9 * d + 9
    assert graph.input_shape == (1, 32, 32)


def test_no_classes_leaves_the_features() -> None:
    features = zoo.build("vit_base_patch16_224", classes=0)
    assert features.output_elements == 768
    assert features.params == TIMM["vit_base_patch16_224"][0] - 769_000
    assert zoo.build("resnet50", classes=0).output_elements == 2048
    assert zoo.build("mobilenetv2_100", classes=0).output_elements == 1280


@pytest.mark.parametrize("name", zoo.names())
def test_every_model_builds_and_is_consistent(name: str) -> None:
    info = zoo.info(name)
    classes = 7 if "classes" in info.options else info.classes
    graph = zoo.build(name, classes=7) if classes == 7 else zoo.build(name)
    assert info.name == graph.name == name
    assert graph.input_shape == (3, info.image_size, info.image_size)
    assert graph.output_elements == classes
    assert graph.input_elements == 3 * info.image_size**2
    names = {op.name for op in graph}
    first = [op.name for op in graph if not graph.predecessors(op.name)]
    assert first[0] == graph.ops[0].name
    for op in graph:
        sources = graph.predecessors(op.name)
        assert op.output_elements > 0
        assert set(sources) <= names
        # What an operator reads is there to be read.
        there = sum(graph[source].output_elements for source in sources) or graph.input_elements
        assert 0 < op.input_elements <= there
        # A kind says whether it multiplies, and whether by weights.
        assert op.kind.is_product == (op.macs > 0)
        assert op.kind.has_weights == (op.kind.is_product and op.params > 0)
        match op.geometry:
            case ConvGeometry() as conv:
                taps = conv.kernel[0] * conv.kernel[1] * conv.in_channels // conv.groups
                pixels = conv.images * conv.out_size[0] * conv.out_size[1]
                assert op.macs == pixels * conv.out_channels * taps
                assert op.params in (taps * conv.out_channels, (taps + 1) * conv.out_channels)
                for axis in (0, 1):
                    span = conv.dilation[axis] * (conv.kernel[axis] - 1)
                    room = conv.in_size[axis] + 2 * conv.padding[axis] - span - 1
                    if name == "fatnet" and conv.kernel[axis] % 2 == 0:
                        room += 1  # padded once more at the end
                    assert conv.out_size[axis] == room // conv.stride[axis] + 1
            case MatmulGeometry() as product:
                assert op.macs == product.rows * product.inner * product.columns * product.count
            case None:
                assert op.macs == 0


def test_the_resnet_of_fatnet_has_its_pairs_of_channels() -> None:
    """1,220,800, from which the printed 3.815e-2 s follow: x 2 us / batch 64."""
    graph = zoo.build("resnet18_cifar")
    convolutions = [op.geometry for op in graph if isinstance(op.geometry, ConvGeometry)]
    assert len(convolutions) == 17
    assert sum(one.in_channels * one.out_channels for one in convolutions) == 1_220_800
    assert [one.in_size[0] for one in convolutions] == [32] * 5 + [16] * 4 + [8] * 4 + [4] * 4


def test_fatnet_has_the_layers_of_its_code() -> None:
    """Pairs of channels of arXiv 2210.16914, before the classifier; weights by hand."""
    graph = zoo.build("fatnet")
    *layers, last = [op for op in graph if isinstance(op.geometry, ConvGeometry)]
    shapes = [op.geometry for op in layers if isinstance(op.geometry, ConvGeometry)]
    assert sum(one.in_channels * one.out_channels for one in shapes) == 148_637
    assert [one.in_size[0] for one in shapes] == [32] + [16] * 5 + [10] * 11
    assert all(one.in_size == one.out_size for one in shapes)
    weights = 49 * 3 * 64 + 9 * 4 * 64**2 + 16 * 64 * 82 + 25 * 3 * 82**2
    weights += 49 * 82 * 78 + 100 * (3 * 78**2 + 78 * 151 + 3 * 151 * 155)
    biases = 5 * 64 + 4 * 82 + 4 * 78 + 2 * (151 + 155)
    assert sum(op.params for op in layers) == weights + biases
    assert (last.name, last.params, last.output_elements) == ("classifier", 155 * 100 + 1, 100)
    # Each residual sum reads what entered its stage.
    assert graph.predecessors("res5.add") == ["res5.1.act", "conv4.1.act"]
    with pytest.raises(InputError, match=r"takes no option 'classes'"):
        zoo.build("fatnet", classes=10)


def test_info() -> None:
    info = zoo.info("vit_base_patch16_224")
    assert (info.heads, info.width, info.mlp_width, info.depth) == (12, 768, 3072, 12)
    assert info.image_size == 224
    assert zoo.info("resnet50").heads is None
    assert "heads" not in zoo.info("resnet50").options


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("vit_base_patch16_225", {}, r"no model .* \(did you mean 'vit_base_patch16_224'\?\)"),
        ("nothing", {}, "no model is named 'nothing'"),
        ("vit_tiny_patch16_224", {"head": 3}, r"no option 'head' \(did you mean 'heads'\?\)"),
        ("resnet50", {"heads": 3}, "it takes classes, image_size, channels"),
        ("vit_tiny_patch16_224", {"heads": 5}, "5 heads do not divide the width 192"),
        ("vit_tiny_patch16_224", {"image_size": 225}, "do not tile an image of 225"),
        ("resnet18", {"image_size": 0}, "image_size must be an integer of at least 1"),
        ("convnext_tiny", {"image_size": 8}, "2x2 convolution .* does not fit a map of 1x1"),
        ("resnet18_cifar", {"image_size": 7}, "3x3 convolution .* does not fit a map of 0x0"),
        ("swin_tiny_patch4_window7_224", {"image_size": 100}, "choose a multiple of 32"),
        (
            "crossvit_small_240",
            {"image_size": 224},
            "choose an image_size that is a multiple of 240",
        ),
        ("convit_small", {"image_size": 225}, "do not tile an image of 225"),
        ("vit_tiny_patch16_224", {"classes": -1}, "classes must be an integer of at least 0"),
        ("vit_tiny_patch16_224", {"depth": 0}, "depth must be an integer of at least 1"),
        ("vit_tiny_patch16_224", {"depth": 2.0}, "got 2.0"),
        ("vit_tiny_patch16_224", {"depth": True}, "got True"),
        ("vit_tiny_patch16_224", {"width": "64"}, "got '64'"),
    ],
)
def test_bad_names_and_options(name: str, options: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        zoo.build(name, **options)


def test_unknown_info() -> None:
    with pytest.raises(InputError, match="did you mean 'resnet50'"):
        zoo.info("resnet5")


def test_the_catalog_needs_no_torch() -> None:
    code = (
        "import sys; from edgesim.graph import zoo; [zoo.build(n) for n in zoo.names()]; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
