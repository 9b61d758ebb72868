"""Text classifiers for safety (NSFW, toxicity): hashed n-grams and logistic regression, each with its own version.

They are trained on texts and labels that the user brings; none ships.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
import zlib
from typing import TYPE_CHECKING, Self

import attrs
import numpy as np
from attrs.validators import ge, le
from scipy import sparse
from scipy.special import expit

from components.archive import read_archive, write_archive
from components.models.logistic import LogisticRegression

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

FORMAT = "mixer.safety/1"
_WORD = re.compile(r"\w+")
_REPEATED = re.compile(r"(.)\1{2,}")


@attrs.frozen
class HashedText:
    """Words, word pairs and character n-grams of a text, hashed into ``buckets`` and scaled to unit length.

    Character n-grams see through spelling; runs of a letter are cut to two. The hash is CRC-32, so that a saved model
    reads the same on every machine.
    """

    buckets: int = attrs.field(default=1 << 16, validator=ge(2))
    shortest: int = attrs.field(default=3, validator=ge(1))
    longest: int = attrs.field(default=5, validator=ge(1))

    def matrix(self, texts: Sequence[str]) -> sparse.csr_array:
        """Features, (texts, buckets)."""
        indices, values, ends = [], [], [0]
        for text in texts:
            hashes = np.fromiter((zlib.crc32(gram.encode()) for gram in self._grams(text)), np.uint32)
            buckets, counts = np.unique(hashes % self.buckets, return_counts=True)
            damped = 1.0 + np.log(counts)
            indices.append(buckets.astype(np.int64))
            values.append(damped / np.linalg.norm(damped) if len(damped) else damped)
            ends.append(ends[-1] + len(buckets))
        flat = (np.concatenate(values), np.concatenate(indices), np.array(ends)) if indices else ([], [], [0])
        return sparse.csr_array(flat, shape=(len(texts), self.buckets))

    def _grams(self, text: str) -> Iterator[str]:
        plain = _REPEATED.sub(r"\1\1", unicodedata.normalize("NFKC", text).casefold())
        words = _WORD.findall(plain)
        yield from words
        yield from (f"{left} {right}" for left, right in itertools.pairwise(words))
        for word in words:
            framed = f"^{word}$"
            for width in range(self.shortest, self.longest + 1):
                yield from (framed[at : at + width] for at in range(len(framed) - width + 1))


@attrs.frozen(eq=False)
class SafetyClassifier:
    """A trained classifier; ``name`` and ``version`` go into every log line that quotes its probability."""

    name: str
    version: str
    text: HashedText
    coefficients: NDArray[np.float64]
    intercept: float

    @classmethod
    def fit(
        cls,
        name: str,
        version: str,
        texts: Sequence[str],
        labels: ArrayLike,
        weights: ArrayLike | None = None,
        *,
        text: HashedText | None = None,
        l2: float = 1.0,
    ) -> Self:
        """Trains on texts labelled 1 (unsafe) and 0.

        Raises:
            ValueError: lengths differ, or the labels hold a single class.
        """
        hashed = text or HashedText()
        model = LogisticRegression(l2=l2, standardise=False).fit(hashed.matrix(texts), labels, weights)
        return cls(name, version, hashed, model.coefficients, model.intercept)

    def probability(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probability that a text is unsafe, (texts,); NaN for a text without a word: there is nothing to judge."""
        matrix = self.text.matrix(texts)
        empty = np.diff(matrix.indptr) == 0
        return np.where(empty, np.nan, expit(matrix @ self.coefficients + self.intercept))

    def save(self, path: str | Path) -> None:
        """Writes one ``.npz`` archive; it appears whole or not at all."""
        used = np.flatnonzero(self.coefficients)
        header = {
            "name": self.name,
            "version": self.version,
            "intercept": self.intercept,
            "text": attrs.asdict(self.text),
        }
        write_archive(path, FORMAT, header, {"buckets": used, "coefficients": self.coefficients[used]})

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Reads what ``save`` wrote.

        Raises:
            ValueError: the file is not a safety classifier of this format.
        """
        header, arrays = read_archive(path, FORMAT, ("buckets", "coefficients"))
        text = HashedText(**header["text"])
        coefficients = np.zeros(text.buckets)
        coefficients[arrays["buckets"]] = arrays["coefficients"]
        return cls(header["name"], header["version"], text, coefficients, float(header["intercept"]))


Share = [ge(0.0), le(1.0)]


@attrs.frozen
class SafetyPolicy:
    """What a probability does to a post.

    Attributes:
        unsafe: strictly above it the post is dropped, or its score multiplied by ``unsafe_factor``.
        borderline: strictly above it, up to ``unsafe``, the score is multiplied by ``borderline_factor``.
    """

    unsafe: float = attrs.field(validator=Share)
    borderline: float = attrs.field(validator=Share)
    unsafe_factor: float = attrs.field(validator=Share)
    borderline_factor: float = attrs.field(validator=Share)
    drops: bool = False

    def __attrs_post_init__(self) -> None:
        if self.borderline > self.unsafe:
            raise ValueError(f"borderline: expected at most unsafe={self.unsafe}, got {self.borderline}")

    def judge(self, probability: NDArray[np.floating]) -> SafetyVerdict:
        """Verdicts, (rows,); NaN changes nothing."""
        unsafe, borderline = probability > self.unsafe, probability > self.borderline
        factor = np.select([unsafe, borderline], [self.unsafe_factor, self.borderline_factor], 1.0)
        return SafetyVerdict(~unsafe if self.drops else np.ones(len(factor), np.bool_), factor)


@attrs.frozen(eq=False)
class SafetyVerdict:
    """Whether each post stays, (rows,) bool, and what its score is multiplied by, (rows,)."""

    keep: NDArray[np.bool_]
    factor: NDArray[np.float64]

    def and_(self, other: SafetyVerdict) -> SafetyVerdict:
        """A post stays if both keep it; the factors multiply."""
        return SafetyVerdict(self.keep & other.keep, self.factor * other.factor)


NSFW_POLICY = SafetyPolicy(unsafe=0.8, borderline=0.5, unsafe_factor=0.1, borderline_factor=0.7)
"""The educational mini-recsys's thresholds and factors. It skips the borderline factors of one classifier when the
other finds the post unsafe; here each classifier counts by itself."""

TOXICITY_POLICY = SafetyPolicy(unsafe=0.7, borderline=0.5, unsafe_factor=0.1, borderline_factor=0.8)
"""The same for toxicity."""
