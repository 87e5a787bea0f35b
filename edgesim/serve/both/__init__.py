"""A scenario simulated and measured on its real nodes, side by side."""
