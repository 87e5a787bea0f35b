"""Data sets of real images: loaders, deterministic splits, augmentation."""

from partition.data.augmentation import augment
from partition.data.dataset import (
    Data,
    Samples,
    batches,
    epoch_order,
    shuffled_batches,
    stratified,
    stratified_folds,
    to_input,
)
from partition.data.sources import open_data

__all__ = [
    "Data",
    "Samples",
    "augment",
    "batches",
    "epoch_order",
    "open_data",
    "shuffled_batches",
    "stratified",
    "stratified_folds",
    "to_input",
]
