"""Vision Transformers of the catalog as artifacts of one part, so that a node can serve them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgesim.common.errors import InputError


def known(name: str) -> None:
    """Check that a model can be served.

    Raises:
        InputError: it cannot; the message lists those that can.
    """
    from partition.config import PRESETS
    from partition.config import preset as find
    from partition.errors import InputError as Unknown

    try:
        find(name)
    except Unknown as error:
        raise InputError(
            f"--model: {error}; nodes serve Vision Transformers, {', '.join(PRESETS)}"
            if "known:" not in str(error)
            else f"--model: nodes serve Vision Transformers: {error}"
        ) from None


def write_model(folder: Path, name: str) -> None:
    """Write an artifact whose one part is a model with weights of noise."""
    import torch

    from partition.artifact import write_artifact
    from partition.config import preset
    from partition.cost import vit_cost
    from partition.fusion import Fusion
    from partition.model import VisionTransformer

    config = preset(name)
    model = VisionTransformer(config, torch.Generator().manual_seed(0))
    fusion = Fusion([config.prefix_tokens * config.width], (), config.classes)
    manifest: dict[str, Any] = {
        "name": name,
        "parts": [
            {
                "file": "part-0.safetensors",
                "config": config.to_dict(),
                "bytes": vit_cost(config).bytes,
            }
        ],
        "fusion": {
            "file": "fusion.safetensors",
            "bytes": 4 * fusion.parameters_count,
            "part_widths": list(fusion.part_widths),
            "widths": list(fusion.widths),
        },
    }
    write_artifact(folder, manifest, (model,), fusion)
