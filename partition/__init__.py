"""partition: Vision Transformers split by classes, pruned, fitted to devices and fused."""

from partition.artifact import Artifact, load_artifact, load_part, read_manifest
from partition.config import ViTConfig, preset, scaled
from partition.errors import InfeasibleError, InputError, PartitionError
from partition.model import VisionTransformer
from partition.pipeline import run
from partition.recipe import Recipe
from partition.weights import load_vit, save_vit

__all__ = [
    "Artifact",
    "InfeasibleError",
    "InputError",
    "PartitionError",
    "Recipe",
    "ViTConfig",
    "VisionTransformer",
    "load_artifact",
    "load_part",
    "load_vit",
    "preset",
    "read_manifest",
    "run",
    "save_vit",
    "scaled",
]
