"""Vectors as every embedder hands them out: of length one, and never zero."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["unit_vectors"]


def unit_vectors(rows: NDArray[np.float32] | NDArray[np.float64]) -> list[list[float]]:
    """The rows of a matrix (texts, dimensions), each brought to length one, as float32 values.

    A zero row stands for a text in which the model sees nothing, such as an empty one. It has no direction,
    and pgvector's cosine with it is NaN, so it becomes the first axis: (1, 0, 0, ...).
    """
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    empty = lengths[:, 0] == 0
    units = (rows / np.where(lengths == 0, 1, lengths)).astype(np.float32)
    units[empty, 0] = 1
    vectors: list[list[float]] = units.tolist()
    return vectors
