"""partition: Vision Transformers split by classes, pruned, fitted to devices and fused."""
