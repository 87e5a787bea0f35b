"""The page of results."""

from __future__ import annotations

import claim_tables
import tables
from accelerators import LADDER, LIGHT, PLANE, PRINTED
from claim import CLAIMED, VARIANTS, at_printed_rate
from costs import MODELS, gpus, model, per_image_s
from what_ifs import Grid
from written import si, times

from edgesim.hardware import catalog

FATNETS_GPU_S = 1.23 * 9.479e-5
"""Of an image of ResNet-18 on the GPU of FatNet's authors: 1.23 x FatNet's time on optics."""


def text(grids: list[Grid]) -> str:
    """Return the page."""
    sections = (_head(grids), _shown(), _claim(), _steps(), _rates(), _energy(), _limits())
    return "\n\n".join(sections) + "\n"


def _head(grids: list[Grid]) -> str:
    settings = sum(grid.settings for grid in grids)
    steps = "\n".join(f"- **{step.name}**: {step.told}." for step in LADDER)
    return f"""# A 4f accelerator beside graphics cards

    python examples/optics-beside-gpus/compare.py

Time and energy per image. Each device is busy with batches of images that are in its memory.
Cards compute in fp16, crossbars in int4. A ratio is the time of the other device over the time of
the accelerator: above 1, light is faster. The map covers {settings:,} settings; all times are
analytic. Each accelerator adds what the one before leaves out:

{steps}

The first five use a plane of {PLANE} x {PLANE} at 1 MHz, except where stated.

{tables.models()}"""


def _shown() -> str:
    return f"""## Where light is faster, and where it is slower

![map](optics-beside-gpus-map.png)

Number of GPUs that are slower at batch 1 / 64, with the published plane and rate:

{tables.score()}

- **Light alone is faster at one image at a time.** A card spends one millisecond on kernel
  launches, for any image. Light needs tens of frames if images, kernels and channels share them.
  A frame rate of 20 to 55 kHz would be enough for all models except ViT-B, which needs megahertz.
  Mirror arrays nearly reach this rate.
- **It is slower for large batches on large cards.** The cards then reach their peak, while light
  uses its plane for guard bands: a shared *valid* kernel, the kind that learns attention, needs a
  tile of 15 x 15 pixels for one number. With the published tiling (only images side by side),
  light is also slower for small batches, except with shared *same* kernels.
- **Data movement removes most of the advantage.** With whole frames over PCI Express and a
  workstation, no GPU is slower. With the best electronics available, light is still faster than
  most GPUs at one image at a time, for both ResNets and with shared *same* kernels, from tens to
  hundreds of kilohertz. At a batch of 64 it is faster than the smallest GPUs only. With shared
  *valid* kernels and for ViT-B it never is.
- **Commercial parts are slower everywhere**, by two to seven orders of magnitude.
- **4f or crossbar?** No accelerator here is faster than the two of Lightening-Transformer. Their
  figures are for 4 bits, without host and link. Light alone would need megahertz and more."""


def _claim() -> str:
    gpu_s = {
        card: per_image_s(catalog.device(card), model("resnet18_cifar"), 64, "fp32")
        for card in claim_tables.cards()
    }
    near = sorted(gpu_s, key=lambda card: abs(gpu_s[card] - FATNETS_GPU_S))[:2]
    nearest = " and ".join(f"{card} ({si(gpu_s[card], 's')})" for card in near)
    same = at_printed_rate(PRINTED, VARIANTS["same"], claim_tables.cards(), "fp16")
    single = {line.card: line.ratios[1] for line in same}
    closest = min(single, key=lambda card: abs(single[card] - CLAIMED))
    span = f"{times(min(single.values()))} to {times(max(single.values()))}"
    nearest_card = f"{closest} with {times(single[closest])}"
    return f"""## The published {CLAIMED}

The claim: "ConvShareViT can theoretically achieve up to {CLAIMED} times faster inference than
GPU-based systems" (arXiv 2504.11517; IEEE TNNLS 2026, doi 10.1109/TNNLS.2026.3689450). We found no
public statement of its model, batch, resolution, rate and GPU. Our ratios, over
{len(claim_tables.cards())} cards and batches of 1 to 4,096 by powers of two:

{claim_tables.ranges()}

![ratio by frame rate](optics-beside-gpus-claim.png)

The claim holds with

- FatNet's accounting (a plane of 2160 x 2160, 2 us per convolution, only images side by side, no
  transfer, no electronics) and shared *same* kernels of 3 x 3. Ratios at batch 1: {span}.
  Nearest is {nearest_card}. The published card is not known. Larger batches
  reach {CLAIMED} on every card, and some of them far more (tables below);
- the same plane and rate with any mixture of tilings: shared *valid* kernels up to a batch of 8 or
  16, shared *same* kernels at nearly all batches.

It does not hold with

- FatNet's accounting and shared *valid* kernels, which learn attention according to the paper: on
  no card, at no batch. It would need a frame rate of 8 to 21 MHz;
- data movement: the last table of this section has the best ratios at 10 GHz, on the best plane, at
  the best batch;
- commercial parts.

FatNet's authors publish a ratio of 1.23 for their GPU. So their GPU took {si(FATNETS_GPU_S, "s")}
per image of ResNet-18. The nearest in the catalog, in fp32 at batch 64, are
{nearest}.

{claim_tables.at_print(PRINTED, "fp16")}

{claim_tables.at_print(PRINTED, "fp32")}

{claim_tables.at_print(LIGHT, "fp16")}

The frame rate at which the ratio is {CLAIMED}: as printed / light alone / end to end, the last on
the best of five planes.

{claim_tables.rates()}

The largest ratio of *end to end*: at 10 GHz, on the best of five planes, at the best batch.

{claim_tables.most()}"""


def _steps() -> str:
    ladders = "\n\n".join(tables.ladder(name) for name in MODELS)
    return f"""## From the publication to commercial parts

Time per image, and the ratio of {tables.CARD}.

{ladders}"""


def _rates() -> str:
    return f"""## Frame rates from which light is faster

Light alone / end to end, on the best plane of 270 to 4320 pixels per side. Never: not even at 10
GHz.

{tables.winning_rates(1)}

{tables.winning_rates(64)}

By plane, compared with {tables.CARD}:

{tables.plane_rates()}

By image size, ResNet-18 on the published plane, compared with {tables.CARD}:

{tables.image_rates()}

The link at which *end to end* is as fast as {tables.CARD} at the published plane and rate, or the
ratio that no link can exceed:

{tables.links()}"""


def _energy() -> str:
    return f"""## Energy

Energy per image, with a busy device. No power of modulators and camera is published: the first
two rows hold only the host and an estimated laser, and are lower bounds. Cards are counted
without their computer, and crossbars without a host.

{tables.joules("convsharevit_72")}

{tables.joules("convsharevit_same_72")}

{tables.joules("resnet18_cifar")}"""


def _limits() -> str:
    return f"""## Uncertainty

- Every figure of a GPU comes from the catalog's roofline, fitted to published times, mostly of
  PyTorch ({len(gpus())} GPUs, `edgesim devices`). Small models at batch 1 are far from these
  rows: they are bound by launches. Compiled graphs and similar methods would reduce launches, and
  so the advantage of light.

{tables.errors()}

- Images are in the memory of the card and on the host of the accelerator. Their arrival costs
  neither.
- Accuracy is not compared: 8 bits, noise and the sign of tokens cost accuracy, which `optics`
  simulates. *Same* kernels have a tenth of the parameters, and do not learn attention according to
  the paper.
- It is an estimate that the bus, the memory and the host of *end to end* reach the rates of their
  data sheets. Laser, host and powers of the commercial parts are estimates too, as `edgesim
  devices` says.
- Of each tile of a valid kernel only one pixel is used. A camera that reads only this pixel would
  need less of the link; the table of links shows what any link can achieve."""
