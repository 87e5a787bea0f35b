"""Checkpoints of Hugging Face transformers and of torchvision give their libraries' logits."""

import pytest
import torch
from safetensors.torch import save_file

from partition.convert import to_plain
from partition.errors import InputError
from partition.weights import load_vit
from tests import needs
from tests.partition.peers.bare_torchvision import import_timm

import_timm()  # makes torchvision importable beside a CPU build of torch
transformers = pytest.importorskip(
    "transformers", exc_type=ImportError, reason=needs.TRANSFORMERS.reason
)

SHAPE = {
    "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 80,
    "image_size": 32, "patch_size": 8,
}  # fmt: skip
TEXT = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}


@torch.no_grad()
def _saved(kind, config, folder):
    torch.manual_seed(0)
    model = kind(config).eval()
    for parameter in model.parameters():
        parameter.add_(torch.randn_like(parameter), alpha=0.1)
    model.save_pretrained(folder)
    return model.double()


def _images():
    return torch.randn(2, 3, 32, 32, dtype=torch.float64)


@pytest.mark.parametrize("act", ["gelu", "gelu_pytorch_tanh"])
@torch.no_grad()
def test_vit(act, tmp_path):
    config = transformers.ViTConfig(**SHAPE, hidden_act=act, num_labels=5, layer_norm_eps=1e-4)
    theirs = _saved(transformers.ViTForImageClassification, config, tmp_path)
    ours, images = load_vit(tmp_path / "model.safetensors").double(), _images()
    torch.testing.assert_close(ours(images), theirs(images).logits, **TOLERANCE)


@torch.no_grad()
def test_distilled_deit(tmp_path):
    config = transformers.DeiTConfig(**SHAPE, num_labels=5)
    theirs = _saved(transformers.DeiTForImageClassificationWithTeacher, config, tmp_path)
    ours, images = load_vit(tmp_path / "model.safetensors").double(), _images()
    torch.testing.assert_close(ours(images), theirs(images).logits, **TOLERANCE)


@pytest.mark.parametrize("kind", ["Dinov2", "Dinov2WithRegisters"])
@torch.no_grad()
def test_dinov2_with_and_without_registers(kind, tmp_path):
    config = getattr(transformers, f"{kind}Config")(**SHAPE, mlp_ratio=2)
    theirs = _saved(getattr(transformers, f"{kind}Model"), config, tmp_path)
    path, images = tmp_path / "model.safetensors", _images()
    with pytest.raises(InputError, match="backbone without a head"):
        load_vit(path)
    shape = load_config(path, 5)
    ours = load_vit(path, shape, new_head=0).double()
    # the head is drawn: what it reads is theirs
    pooled = theirs(images).pooler_output
    torch.testing.assert_close(ours.features(images), pooled, **TOLERANCE)


def load_config(path, classes):
    from partition.weights import checkpoint_config

    return checkpoint_config(path, heads=None, classes=classes)


@torch.no_grad()
def test_the_head_of_dinov2_reads_two_things_and_is_not_used(tmp_path):
    config = transformers.Dinov2Config(**SHAPE, mlp_ratio=2, num_labels=5)
    _saved(transformers.Dinov2ForImageClassification, config, tmp_path)
    with pytest.raises(InputError, match="reads the class token and the mean of the patches"):
        load_vit(tmp_path / "model.safetensors")


@torch.no_grad()
def test_siglip_with_average_pooling_and_not_with_attention(tmp_path):
    config = transformers.SiglipConfig(vision_config=SHAPE, text_config=TEXT, num_labels=5)
    theirs = _saved(transformers.SiglipForImageClassification, config, tmp_path / "classes")
    ours = load_vit(tmp_path / "classes" / "model.safetensors").double()
    images = _images()
    torch.testing.assert_close(ours(images), theirs(images).logits, **TOLERANCE)
    _saved(transformers.SiglipVisionModel, config.vision_config, tmp_path / "tower")
    with pytest.raises(InputError, match="attention pooling"):
        load_vit(tmp_path / "tower" / "model.safetensors")


@pytest.mark.parametrize("act", ["quick_gelu", "gelu"])
@torch.no_grad()
def test_the_image_tower_of_clip(act, tmp_path):
    config = transformers.CLIPVisionConfig(**SHAPE, projection_dim=6, hidden_act=act)
    theirs = _saved(transformers.CLIPVisionModelWithProjection, config, tmp_path)
    path, images = tmp_path / "model.safetensors", _images()
    torch.testing.assert_close(
        load_vit(path).double()(images), theirs(images).image_embeds, **TOLERANCE
    )
    (tmp_path / "config.json").unlink()
    with pytest.raises(InputError, match="do not show its activation"):
        load_vit(path, heads=4)
    given = load_vit(path, heads=4, activation="quick-gelu" if act == "quick_gelu" else "gelu")
    torch.testing.assert_close(given.double()(images), theirs(images).image_embeds, **TOLERANCE)


@torch.no_grad()
def test_clip_with_its_text_tower(tmp_path):
    config = transformers.CLIPConfig(vision_config=SHAPE, text_config=TEXT, projection_dim=6)
    theirs = _saved(transformers.CLIPModel, config, tmp_path)
    ours, images = load_vit(tmp_path / "model.safetensors").double(), _images()
    expected = theirs.visual_projection(theirs.vision_model(images).pooler_output)
    torch.testing.assert_close(ours(images), expected, **TOLERANCE)


def test_rotary_positions_are_refused():
    with torch.device("meta"):
        theirs = transformers.DINOv3ViTModel(transformers.DINOv3ViTConfig(**SHAPE))
    with pytest.raises(InputError, match=r"no plain ViT: .*(rotary|not learned)"):
        to_plain(theirs.state_dict(), "the checkpoint")


@torch.no_grad()
def test_torchvision(tmp_path):
    torchvision = pytest.importorskip("torchvision", exc_type=ImportError)
    torch.manual_seed(0)
    theirs = torchvision.models.VisionTransformer(
        image_size=32, patch_size=8, num_layers=3, num_heads=4, hidden_dim=48, mlp_dim=80,
        num_classes=5,
    ).eval()  # fmt: skip
    for parameter in theirs.parameters():
        parameter.add_(torch.randn_like(parameter), alpha=0.1)
    save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    ours, images = load_vit(tmp_path / "model.safetensors", heads=4).double(), _images()
    torch.testing.assert_close(ours(images), theirs.double()(images), **TOLERANCE)
