"""Vision models of transformers, by Hugging Face, from their configurations: no weights are loaded.

Each callable returns a module that `edgesim trace` takes, as in::

    edgesim trace torch:examples/own-model/hugging_face.py:vit --input '[3, 224, 224]'
"""

from __future__ import annotations

from torch import nn
from transformers import (
    Dinov2Config,
    Dinov2ForImageClassification,
    SegformerConfig,
    SegformerForSemanticSegmentation,
    SwinConfig,
    SwinForImageClassification,
    ViTConfig,
    ViTForImageClassification,
)


def vit() -> nn.Module:
    """Return ViT-B/16 (google/vit-base-patch16-224) with 1,000 classes."""
    return ViTForImageClassification(ViTConfig(num_labels=1000))


def dinov2() -> nn.Module:
    """Return DINOv2 ViT-S/14 (facebook/dinov2-small-imagenet1k-1-layer)."""
    config = Dinov2Config(hidden_size=384, num_attention_heads=6, image_size=518, num_labels=1000)
    return Dinov2ForImageClassification(config)


def swin() -> nn.Module:
    """Return Swin-T (microsoft/swin-tiny-patch4-window7-224)."""
    return SwinForImageClassification(SwinConfig(num_labels=1000))


def segformer() -> nn.Module:
    """Return SegFormer-B0 (nvidia/segformer-b0-finetuned-ade-512-512), 150 classes a pixel."""
    return SegformerForSemanticSegmentation(SegformerConfig(num_labels=150))
