# %% [markdown]
# # What if the Pis shared an optical accelerator?
# Four Raspberry Pis send the convolutions of ResNet-18 to one 4f accelerator, or compute them.

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt

import edgesim

HERE = Path(__file__).parent
FIGURES = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "figures"
REQUESTS = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
FIGURES.mkdir(parents=True, exist_ok=True)

shared = HERE.parent / "pis-with-light.yaml"
with_light = edgesim.load(shared, set={"traffic.requests": REQUESTS})
without = edgesim.load(shared, set={"traffic.requests": REQUESTS, "placement.nodes": ["pi"]})
results = {"with light": with_light.run(), "Pis alone": without.run()}
for name, result in results.items():
    summary = result.summary
    print(
        f"{name}: p50 {summary['latency_s']['p50']:.3f} s, at most "
        f"{summary['plan']['capacity_per_s']:.1f} images a second, "
        f"{summary['energy_j']['per_request']:.1f} J an image"
    )

# %%
figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained", sharex=True)
for ax, (name, result) in zip(axes, results.items(), strict=True):
    result.plot.energy(ax)
    ax.set_title(name)
figure.savefig(FIGURES / "light-what-if.png", dpi=80)
