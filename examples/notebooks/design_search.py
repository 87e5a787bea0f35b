# %% [markdown]
# # The smallest number of Pis that is fast enough
# A search (`pip install 'edgesim[search]'`) over the number of Pis, their kind, and the attention
# heads of ViT-Base that each one keeps: few, fast, and for less than 100 J per answer.

# %%
import sys
from pathlib import Path

import edgesim

HERE = Path(__file__).parent
FIGURES = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "figures"
REQUESTS = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
TRIALS = 60 if REQUESTS >= 1000 else 12
FIGURES.mkdir(parents=True, exist_ok=True)

cluster = edgesim.load(HERE.parent / "five-pis.yaml", set={"traffic.requests": REQUESTS})
study = cluster.sweep(
    {
        "nodes.pi.count": {"from": 2, "to": 10},
        "nodes.pi.device": ["raspberry-pi-4b", "raspberry-pi-5"],
        "placement.heads": {"from": 1, "to": 6},
    },
    keep=["energy_j.per_request"],
    optimize={
        "minimize": ["nodes.pi.count", "latency_s.p99"],
        "subject_to": ["energy_j.per_request < 100 J"],
        "trials": TRIALS,
    },
)
best = study.frame[study.table.pareto()]
print(best.sort_values("nodes.pi.count").drop(columns="error").to_string())

# %%
ax = study.plot.pareto("nodes.pi.count", "latency_s.p99")
ax.figure.savefig(FIGURES / "design-search.png", dpi=80)
