"""Vision Transformers of the catalog as artifacts of one part, so that a node can serve them."""

from __future__ import annotations

from pathlib import Path

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

    from partition.artifact import write_untrained
    from partition.config import preset
    from partition.model import VisionTransformer

    config = preset(name)
    model = VisionTransformer(config, torch.Generator().manual_seed(0))
    write_untrained(folder, name, (model,), config.classes)
