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

Times and joules of an image, each device busy with batches of images that lie in its memory, cards
in fp16, crossbars in int4. A ratio is another device's time over the accelerator's: above 1 light
wins. {settings:,} settings were played for the map; all is analytic. The accelerators, each with
what the one before lacks:

{steps}

The first five stand on a plane of {PLANE} x {PLANE} at 1 MHz where nothing else is said.

{tables.models()}"""


def _shown() -> str:
    return f"""## Where light wins, and where it loses

![map](optics-beside-gpus-map.png)

At print's plane and rate, how many GPUs are slower at batch 1 / 64:

{tables.score()}

- **Light alone wins one image at a time.** A card spends a millisecond on launches, whatever the
  image; light needs tens of frames if images, kernels and channels share them. Beside the cards 20
  to 55 kHz would do, for all models but ViT-B, which takes megahertz; mirrors nearly have that.
- **It loses large batches on large cards**, which then reach their peak, while light spends its
  plane on guard bands: a shared *valid* kernel, of the kind that learns attention, takes a tile of
  15 x 15 pixels to give one number. As print tiles, images alone, it loses small batches too, but
  for shared *same* kernels.
- **Data movement takes most of it.** With whole frames over PCI Express and a workstation no GPU is
  slower there. With the best electronics there are, one image at a time still is faster than on
  most GPUs for both ResNets and with shared *same* kernels, from tens to hundreds of kilohertz; a
  batch of 64 is so beside the smallest alone, and shared *valid* kernels and ViT-B never are.
- **Parts that one can buy lose everywhere**, to graphics cards by two to seven orders of magnitude.
- **4f or crossbar?** No accelerator here is faster than Lightening-Transformer's two, whose figures
  are of 4 bits, without host and link. Light alone would take megahertz and more."""


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

As claimed: "ConvShareViT can theoretically achieve up to {CLAIMED} times faster inference than
GPU-based systems" (arXiv 2504.11517; IEEE TNNLS 2026, doi 10.1109/TNNLS.2026.3689450). Model,
batch, resolution, rate and GPU behind it are not public in what we found. What we find, over
{len(claim_tables.cards())} cards and batches of 1 to 4,096 by powers of two:

{claim_tables.ranges()}

![ratio by frame rate](optics-beside-gpus-claim.png)

These inputs make it true:

- FatNet's accounting (2160 square, 2 us a convolution, images alone side by side, no transfer, no
  electronics) with shared *same* kernels of 3 x 3. Ratios at batch 1: {span}.
  Nearest is {nearest_card}, which says nothing of the card in print. Larger batches
  reach {CLAIMED} on every card, some of them far more, as the tables below tell.
- The same plane and rate with every mixture of tilings: shared *valid* kernels up to a batch of 8
  or 16, shared *same* ones at nearly all.

These do not:

- FatNet's accounting with shared *valid* kernels, which the paper finds to learn attention: on no
  card, at no batch. It would take a frame rate of 8 to 21 MHz.
- Any of them with data movement: at 10 GHz on the best plane, at the best batch, the best card's
  ratio is the last table's here.
- Any of them with parts that one can buy.

FatNet's authors print a ratio of 1.23 for their GPU. It hence took {si(FATNETS_GPU_S, "s")} an
image of ResNet-18; nearest in the catalog, in fp32 at batch 64, are
{nearest}.

{claim_tables.at_print(PRINTED, "fp16")}

{claim_tables.at_print(PRINTED, "fp32")}

{claim_tables.at_print(LIGHT, "fp16")}

The frame rate at which the ratio is {CLAIMED}: as printed / light alone / end to end, the last on
the best of five planes.

{claim_tables.rates()}

The most that end to end reaches: at 10 GHz, on the best of five planes, at the best batch.

{claim_tables.most()}"""


def _steps() -> str:
    ladders = "\n\n".join(tables.ladder(name) for name in MODELS)
    return f"""## From print to parts

Time of an image, and the ratio of {tables.CARD}.

{ladders}"""


def _rates() -> str:
    return f"""## Frame rates from which light wins

Light alone / end to end, on the best of planes of 270 to 4320 pixels a side; never: not at 10 GHz.

{tables.winning_rates(1)}

{tables.winning_rates(64)}

By plane, beside {tables.CARD}:

{tables.plane_rates()}

By image, ResNet-18 on print's plane, beside {tables.CARD}:

{tables.image_rates()}

The link at which end to end ties with {tables.CARD} at print's plane and rate, or the ratio that
no link is enough to exceed:

{tables.links()}"""


def _energy() -> str:
    return f"""## Joules

Of an image, device busy. Print tells no power of modulators and camera: the first two rows hold
the host and an estimated laser alone, and are least values. Cards without their computer;
crossbars without one.

{tables.joules("convsharevit_72")}

{tables.joules("convsharevit_same_72")}

{tables.joules("resnet18_cifar")}"""


def _limits() -> str:
    return f"""## How far to trust this

- Every figure of a GPU is of the catalog's roofline, fitted to published times, most of them of
  PyTorch ({len(gpus())} GPUs, `edgesim devices`). Small models at batch 1 lie far from these rows:
  they are bound by launches. What cuts those, such as compiled graphs, would take from light just
  where it wins.

{tables.errors()}

- Images lie in a card's memory and on the accelerator's host; neither pays for their arrival.
- Accuracy is left out: eight bits, noise and the sign of tokens cost some of it, which
  `optics` simulates. *Same* kernels have a tenth of the parameters, and do not learn attention
  as print has it.
- That the bus, memory and host of *end to end* work at the rates of their data sheets is an
  estimate; so are laser, host and powers of the parts that one can buy, as `edgesim devices` marks.
- A camera that read only the one pixel of a tile that valid kernels keep would need less of the
  link; the table of links tells how far any link would get."""
