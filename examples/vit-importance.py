"""Importance of every unit of a large Vision Transformer: Taylor for all, exact KL for the best.

``python examples/vit-importance.py --images 8`` scores the 46,848 units of ViT-B. For each stage it
prints the time that the exact divergences are expected to take, before they begin. A stage that is
finished is kept in ``--out`` and not computed again. Without ``--checkpoint``, weights are drawn.
"""

from __future__ import annotations

import argparse
import math
import resource
import time
from functools import partial
from pathlib import Path

import torch

from partition.config import preset
from partition.importance import EXACT_SHARE, taylor_kl_importance, unit_shape
from partition.losses import smooth_targets
from partition.model import VisionTransformer
from partition.recipe import STAGES, Stage
from partition.store import load_tensors, save_tensors
from partition.train import generator_of
from partition.weights import load_vit


def _announce(stage: Stage, units: int, seconds: float) -> None:
    print(f"{stage}: {units:,} units by KL, about {seconds:.0f} s", flush=True)


def main() -> None:
    """Score the units stage by stage and write them to a safetensors file."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", default="vit_base_patch16_224")
    parser.add_argument("--checkpoint", type=Path, help="safetensors file; drawn weights without")
    parser.add_argument("--images", type=int, default=8, help="images of noise")
    parser.add_argument("--share", type=float, default=EXACT_SHARE, help="of the units, by KL")
    parser.add_argument("--out", type=Path, default=Path("importance.safetensors"))
    chosen = parser.parse_args()
    config = preset(chosen.model)
    model = load_vit(chosen.checkpoint) if chosen.checkpoint else VisionTransformer(
        config, generator_of(1)
    )  # fmt: skip
    config = model.eval().config
    draw = generator_of(2)
    inputs = torch.randn(chosen.images, config.channels, *config.size, generator=draw)
    labels = torch.randint(0, config.classes, (chosen.images,), generator=draw)
    targets = smooth_targets(labels, config.classes, 0.0)
    found = load_tensors(chosen.out)[0] if chosen.out.exists() else {}
    for stage in STAGES:
        layers, units = unit_shape(model, stage)
        if stage in found:
            print(f"{stage}: {layers * units:,} units, found in {chosen.out}")
            continue
        begun_s = time.perf_counter()
        exact = layers * math.ceil(units * chosen.share)
        found[stage] = taylor_kl_importance(
            model, inputs, targets, stage, share=chosen.share,
            expect=partial(_announce, stage, exact),
        )  # fmt: skip
        save_tensors(chosen.out, found)
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        took_s = time.perf_counter() - begun_s
        print(f"{stage}: {layers * units:,} units in {took_s:.0f} s, at most {most:.1f} GiB")


if __name__ == "__main__":
    main()
