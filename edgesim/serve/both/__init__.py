"""A scenario simulated and played on its real nodes, side by side."""
