"""The coordinator: runs a scenario on real nodes."""
