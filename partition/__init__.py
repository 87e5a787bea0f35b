"""partition: Vision Transformers split by classes, pruned, fitted to devices and fused.

Names are imported when they are first used: reading a manifest, say, does not load torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from partition.artifact import Artifact, load_artifact, load_part
    from partition.config import ViTConfig, preset, scaled
    from partition.errors import InfeasibleError, InputError, PartitionError
    from partition.manifest import read_manifest, read_trained, verify_files
    from partition.model import VisionTransformer
    from partition.pipeline import run
    from partition.recipe import Recipe
    from partition.schema import TrainedManifest
    from partition.weights import load_vit, save_vit

_HOMES = {
    "artifact": ("Artifact", "load_artifact", "load_part"),
    "config": ("ViTConfig", "preset", "scaled"),
    "errors": ("InfeasibleError", "InputError", "PartitionError"),
    "manifest": ("read_manifest", "read_trained", "verify_files"),
    "model": ("VisionTransformer",),
    "pipeline": ("run",),
    "recipe": ("Recipe",),
    "schema": ("TrainedManifest",),
    "weights": ("load_vit", "save_vit"),
}

__all__ = [
    "Artifact",
    "InfeasibleError",
    "InputError",
    "PartitionError",
    "Recipe",
    "TrainedManifest",
    "ViTConfig",
    "VisionTransformer",
    "load_artifact",
    "load_part",
    "load_vit",
    "preset",
    "read_manifest",
    "read_trained",
    "run",
    "save_vit",
    "scaled",
    "verify_files",
]


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
