"""The answer of an embeddings endpoint, read with suspicion.

Clients hand on whatever a server sends: too few vectors, in another order, of another size, with NaN in them.
A vector on the wrong text is never noticed again, so everything is checked here before anything is stored.
"""

import base64
import binascii
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Answer", "BadAnswer", "read_answer"]


_MOST_TOKENS = 2**31  # far more than any request has


class BadAnswer(ValueError):
    """What is wrong with the answer, as the end of a sentence that begins with who gave it; it may hold the key.

    `tokens` are billed all the same.
    """

    tokens = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """Vectors of length one in the order of the texts (texts, dimensions), and the tokens that are billed."""

    vectors: NDArray[np.float64]
    tokens: int


def read_answer(body: bytes, texts: int, dimensions: int | None) -> Answer:
    """Check an answer to `texts` texts and put its vectors in their order, by `index`.

    `dimensions` None takes the size that the answer has, the same for all. Vectors come as lists of numbers
    or as base64 of little-endian float32 (OpenAI's `encoding_format`). Raises `BadAnswer`.
    """
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise BadAnswer("answered with something that is not JSON") from None
    try:
        return Answer(_placed(answer, texts, dimensions), _billed(answer))
    except BadAnswer as wrong:
        wrong.tokens = _billed(answer)
        raise


def _placed(answer: object, texts: int, dimensions: int | None) -> NDArray[np.float64]:
    """The vectors in the order of the texts."""
    items = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(items, list):
        error = answer.get("error") if isinstance(answer, dict) else None
        said = error.get("message") if isinstance(error, dict) else error
        raise BadAnswer(f"answered with the error '{said}'" if said else "answered without a list of embeddings")
    if len(items) != texts:
        raise BadAnswer(f"answered with {len(items)} embeddings for {texts} texts")
    placed: dict[int, NDArray[np.float64]] = {}
    for item in items:
        index = item.get("index") if isinstance(item, dict) else None
        if type(index) is not int or not 0 <= index < texts or index in placed:
            raise BadAnswer(f"answered with an embedding whose index is {index!r:.20}: missing, twice or out of range")
        placed[index] = _vector(item.get("embedding"), dimensions)
    vectors = [placed[index] for index in range(texts)]
    if len({len(vector) for vector in vectors}) > 1:
        raise BadAnswer("answered with embeddings of different sizes")
    return np.stack(vectors)


def _vector(value: object, dimensions: int | None) -> NDArray[np.float64]:
    vector = _numbers(value)
    if dimensions is not None and len(vector) != dimensions:
        raise BadAnswer(f"answered with {len(vector)} dimensions instead of {dimensions}")
    with np.errstate(over="ignore"):  # an infinite length is refused below
        length = float(np.linalg.norm(vector))
    if not np.isfinite(length):
        raise BadAnswer("answered with an embedding that is not finite")
    if length == 0:
        raise BadAnswer("answered with an embedding that is zero")
    return vector / length


def _numbers(value: object) -> NDArray[np.float64]:
    try:
        if isinstance(value, str):
            return np.frombuffer(base64.b64decode(value, validate=True), dtype="<f4").astype(np.float64)
        array = np.asarray(value if isinstance(value, list) else None)
    except (binascii.Error, ValueError):
        array = np.asarray(None)
    # Strings and nulls would be converted without a word, so the kind is looked at first.
    if array.ndim != 1 or (array.size and array.dtype.kind not in "fiu"):
        raise BadAnswer("answered with an embedding that is not a list of numbers")
    return array.astype(np.float64)


def _billed(answer: object) -> int:
    usage = answer.get("usage") if isinstance(answer, dict) else None
    tokens = usage.get("total_tokens") if isinstance(usage, dict) else None
    return tokens if type(tokens) is int and 0 < tokens < _MOST_TOKENS else 0
