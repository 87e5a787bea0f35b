"""Whether benchmarks run at the size that they report, or small, as tests of their own code."""

from __future__ import annotations

import os

FULL = os.environ.get("EDGESIM_BENCHMARKS") == "full"
