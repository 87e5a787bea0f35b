"""ConvShareViT: a Vision Transformer whose linear layers are convolutions that a 4f system does.

Names are imported when they are first used: the shapes of a model do not load torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optics.convshare.config import MIXINGS, ConvShareConfig, Mixing
    from optics.convshare.model import ConvShareViT
    from optics.convshare.sizes import parameters_count, shapes
    from optics.convshare.vit import from_vit, to_vit

_HOMES = {
    "config": ("MIXINGS", "ConvShareConfig", "Mixing"),
    "model": ("ConvShareViT",),
    "sizes": ("parameters_count", "shapes"),
    "vit": ("from_vit", "to_vit"),
}

__all__ = [
    "MIXINGS",
    "ConvShareConfig",
    "ConvShareViT",
    "Mixing",
    "from_vit",
    "parameters_count",
    "shapes",
    "to_vit",
]


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
