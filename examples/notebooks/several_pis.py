# %% [markdown]
# # ViT-Base on several Raspberry Pis
# How many Pis are needed for two images per second, and what does each answer cost? Run this file
# as a script, or open it as a notebook (Jupytext, VS Code): each `# %%` starts a cell.

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt

import edgesim

HERE = Path(__file__).parent
FIGURES = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "figures"
REQUESTS = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
FIGURES.mkdir(parents=True, exist_ok=True)

five = edgesim.load(
    HERE.parent / "five-pis.yaml", set={"traffic.rate": "2/s", "traffic.requests": REQUESTS}
)
five

# %%
result = five.run()
print(result.nodes[["device", "utilization", "energy_j"]].to_string())
print(
    result.requests[["latency_s", "queue_s", "compute_s", "transfer_s"]]
    .describe()
    .round(3)
    .to_string()
)

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
result.plot.latency(left)
result.plot.timeline(right, requests=6)
figure.savefig(FIGURES / "several-pis.png", dpi=80)

# %% [markdown]
# With fewer parts, each holds more of the model. With more parts, each computes less.

# %%
study = five.sweep(
    {"placement.submodels": [2, 5], "placement.heads": [1, 2, 3, 4], "nodes.pi.count": [2, 5]},
    keep=["latency_s.p99", "energy_j.per_request", "max(nodes.*.utilization)"],
)
answered = study.frame.dropna(subset=["latency_s.p99"])
print(answered.sort_values("latency_s.p99").drop(columns="error").head(5).to_string())
