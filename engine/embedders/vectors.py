"""Vectors as every embedder hands them out: of length one, and never zero."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.embedders.batches import Window

__all__ = ["unit_rows", "unit_vectors", "weighted_sums"]

Rows = NDArray[np.float32] | NDArray[np.float64]


def weighted_sums(windows: Sequence[Window], rows: Rows, texts: int) -> NDArray[np.float64]:
    """For each of so many texts, the sum of its windows' vectors, by their weight: its average but for the length."""
    sums = np.zeros((texts, rows.shape[1]))
    for window, row in zip(windows, rows, strict=True):
        sums[window.text_index] += window.weight * row
    return sums


def unit_rows(rows: Rows) -> NDArray[np.float64]:
    """The rows of a matrix, each brought to length one but for those of zeros."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    units: NDArray[np.float64] = rows / np.where(lengths == 0, 1, lengths)
    return units


def unit_vectors(rows: Rows) -> list[list[float]]:
    """The rows of a matrix (texts, dimensions), each brought to length one, as float32 values.

    A zero row stands for a text in which the model sees nothing, such as an empty one. It has no direction,
    and pgvector's cosine with it is NaN, so it becomes the first axis: (1, 0, 0, ...).
    """
    units = unit_rows(rows).astype(np.float32)
    units[~rows.any(axis=1), 0] = 1
    vectors: list[list[float]] = units.tolist()
    return vectors
