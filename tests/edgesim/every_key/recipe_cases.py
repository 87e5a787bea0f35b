"""A case for every key of a recipe: two trainings of few images that must not come to the same."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

_FEW = {"epochs": 1, "batch": 64}
SMALL: Mapping[str, Any] = {
    "seed": 3,
    "data": {"limit": 8, "test": 0.02, "validation": 0.25},
    "model": {"width": 12, "depth": 1, "heads": 2, "head_width": 6, "mlp_width": 12},
    "training": {"epochs": 3, "batch": 32, "learning_rate": 0.005},
    "split": {"parts": 2},
    "pruning": {
        "heads": 1,
        "images": 8,
        "tuning": _FEW,
        "final": {**_FEW, "epochs": 2},
        "polish": {**_FEW, "epochs": 2},
    },
    "fusion": {"hidden": [8], "training": {**_FEW, "epochs": 2}},
}
_TRAINING: Mapping[str, Any] = {
    "epochs": 8,
    "batch": 8,
    "learning_rate": 0.002,
    "warmup": 0.1,
    "weight_decay": 0.5,
    "label_smoothing": 0.3,
    "mixup": 0.4,
    "distillation": 0.9,
    "temperature": 2.0,
    "clip": 0.01,
    "sampling": "balanced",
    "augmentation.shift": 1,
    "augmentation.flip": True,
    "augmentation.erase": 2,
}


def changed(recipe: Mapping[str, Any], **values: Any) -> dict[str, Any]:
    """Return a recipe with other values, by key path with ``__`` for dots."""
    made = copy.deepcopy(dict(recipe))
    for path, value in values.items():
        *sections, key = path.replace("__", ".").split(".")
        here = made
        for section in sections:
            here = here.setdefault(section, {})
        here[key] = value
    return made


def _case(path: str, value: Any, **given: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    base = changed(SMALL, **given)
    return base, changed(base, **{path: value})


def _trainings() -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    found = {}
    for section in (
        "training",
        "pruning.tuning",
        "pruning.final",
        "pruning.polish",
        "fusion.training",
    ):
        for key, value in _TRAINING.items():
            found[f"{section}.{key}"] = _case(f"{section}.{key}", value)
        found[f"{section}.final_rate"] = _case(
            f"{section}.final_rate",
            0.5,
            **{f"{section}.warmup": 0.0, f"{section}.epochs": 5, f"{section}.batch": 16},
        )
        # A high rate to the end, so that the last epoch is not the best.
        noisy = {"epochs": 12, "learning_rate": 0.2, "batch": 16, "final_rate": 1.0}
        given = {f"{section}.{key}": value for key, value in noisy.items()}
        for key, choice in (("selection", "last"), ("folds", 2), ("patience", 1)):
            found[f"{section}.{key}"] = _case(f"{section}.{key}", choice, **given)
    return found


_PICTURES = {**SMALL["data"], "name": "folder", "folder": "{one}", "image": 8, "test": 0.2}
"""Of a folder of eleven classes; the test puts in the places that stand in braces."""
_BOARDS = [
    {
        "name": name,
        "memory_bytes": 8e3,
        "macs_per_second": 1e6,
        "latency_s": 1.0,
        "joules_per_mac": 1e-9,
        "energy_j": 1.0,
    }
    for name in ("one", "two")
]


_LIGHT = {"bits": 8, "camera_bits": 12, "photons": 0.5, "images": 30, "plane": 48}
"""An operating point whose noise changes answers; the system is as good as the key says."""


def _board(key: str, value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return _case(
        "devices", [{**_BOARDS[0], key: value}, _BOARDS[1]], devices=_BOARDS, pruning__heads=None
    )


ALL: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    f"model.training.{key}": case
    for key, case in {
        "seed": _case("seed", 4),
        "data.name": _case("data", _PICTURES),
        "data.folder": _case("data.folder", "{other}", data=_PICTURES),
        "data.channels": _case("data.channels", 1, data=_PICTURES),
        "data.image": _case("data.image", 16),
        "data.limit": _case("data.limit", 10),
        "data.skip_damaged": _case(
            "data.skip_damaged", True, data={**_PICTURES, "folder": "{damaged}"}
        ),
        "data.test": _case("data.test", 0.4),
        "data.validation": _case("data.validation", 0.3),
        "devices[].name": _board("name", "three"),
        "devices[].memory_bytes": _board("memory_bytes", 5e3),
        "devices[].macs_per_second": _board("macs_per_second", 2e4),
        "devices[].latency_s": _board("latency_s", 0.02),
        "devices[].joules_per_mac": _board("joules_per_mac", 5e-5),
        "devices[].energy_j": _board("energy_j", 2e-5),
        "fusion.hidden": _case("fusion.hidden", [4]),
        "fusion.whole": _case("fusion.whole", 1.0),
        "fusion.samples": _case("fusion.samples", 2, split__parts=11, data=_PICTURES),
        **{
            f"light.{key}": _case(f"light.{key}", value, light=_LIGHT)
            for key, value in (
                ("bits", 2),
                ("camera_bits", 3),
                ("photons", 0.05),
                ("images", 11),
                ("plane", 32),
            )
        },
        "model.checkpoint": _case("model.checkpoint", "{weights}"),
        "model.activation": _case("model.activation", "quick-gelu"),
        "model.depth": _case("model.depth", 2),
        "model.distilled": _case("model.distilled", True),
        "model.head_width": _case("model.head_width", 4),
        "model.heads": _case("model.heads", 3),
        "model.mlp_width": _case("model.mlp_width", 8),
        "model.name": _case(
            "model.name", "vit_tiny_patch16_224", model__mlp_width=None, model__patch=2
        ),
        "model.patch": _case("model.patch", 4),
        "model.stem": _case("model.stem", [4]),
        "model.width": _case("model.width", 24),
        "pruning.heads": _case("pruning.heads", 2),
        "pruning.images": _case("pruning.images", 4),
        "pruning.importance": _case("pruning.importance", "magnitude"),
        "pruning.polish_negatives": _case("pruning.polish_negatives", 1.0),
        "pruning.stages": _case("pruning.stages", ["mlp", "attention", "residual"]),
        "split.grouping": _case("split.grouping", "random"),
        "split.negatives": _case("split.negatives", 1.0),
        "split.other": _case("split.other", False),
        "split.parts": _case("split.parts", 3),
        **_trainings(),
    }.items()
}
_NO_TEACHER = "the unsplit model has no teacher; `training` has the same keys wherever it stands"
STILL = {
    key: (ALL[key], _NO_TEACHER)
    for key in ("model.training.training.distillation", "model.training.training.temperature")
}
"""Keys that change nothing, and why that is right."""
REFUSED = {
    key: recipe
    for key, (_, recipe) in ALL.items()
    if key.startswith("model.training.fusion.training.")
    and any(word in key for word in ("augmentation", "mixup", "folds"))
}
"""Keys that the fusion, which is trained on features, is refused for."""
CASES = {key: case for key, case in ALL.items() if key not in STILL and key not in REFUSED}
