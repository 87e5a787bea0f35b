"""The coordinator: plays a scenario on real nodes."""
