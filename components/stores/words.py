"""``WordIndex``: which posts say a word, or some words in a row."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_WORD = re.compile(r"[#@]?\w+(?:'\w+)*")
_NOTHING = np.empty(0, dtype=np.int64)


def words_of(text: str) -> list[str]:
    """Whole words, case folded; a hashtag or mention is one word with its sign, and without.

    >>> words_of("Don't miss #Jazz tonight!")
    ["don't", 'miss', '#jazz', 'tonight']
    """
    return _WORD.findall(text.casefold())


@attrs.frozen(eq=False)
class WordIndex:
    """Texts as numbered words, with the places of each word.

    Args:
        vocabulary: number of each word.
        owner: ``(w,)`` row of the text that each word stands in, word after word, text after text.
        places: ``(w,)`` positions in that sequence, ordered by word.
        starts: ``(vocabulary + 1,)`` where the places of each word begin.
        sequence: ``(w,)`` number of the word at each position.
    """

    vocabulary: dict[str, int] = attrs.field(repr=False)
    owner: NDArray[np.int64]
    places: NDArray[np.int64]
    starts: NDArray[np.int64]
    sequence: NDArray[np.int64]

    @classmethod
    def of(cls, texts: Iterable[str]) -> WordIndex:
        """An index of texts by row. Cost: one pass over all words; equal texts are split once."""
        vocabulary: dict[str, int] = {}
        split: dict[str, list[int]] = {}
        numbered: list[list[int]] = []
        for text in texts:
            known = split.get(text)
            if known is None:
                known = split[text] = [
                    vocabulary.setdefault(word, len(vocabulary)) for word in words_of(text)
                ]
            numbered.append(known)
        lengths = np.array([len(one) for one in numbered], dtype=np.int64)
        sequence = np.array([word for one in numbered for word in one], dtype=np.int64)
        order = np.argsort(sequence, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(sequence, minlength=len(vocabulary)))])
        return cls(vocabulary, np.repeat(np.arange(len(numbered)), lengths), order, starts, sequence)

    def rows_with(self, phrase: str) -> NDArray[np.int64]:
        """Rows of the texts that contain the words of a phrase in a row, ascending and distinct.

        A plain word also finds its hashtag.
        """
        words = words_of(phrase)
        if not words:
            return _NOTHING
        places = np.concatenate([self._places(form) for form in (words[0], f"#{words[0]}")])
        for offset, word in enumerate(words[1:], start=1):
            number = self.vocabulary.get(word, -1)
            at = places + offset
            inside = at < len(self.sequence)
            places, at = places[inside], at[inside]
            same = (self.sequence[at] == number) & (self.owner[at] == self.owner[places])
            places = places[same]
        return np.unique(self.owner[places])

    def _places(self, word: str) -> NDArray[np.int64]:
        number = self.vocabulary.get(word)
        return _NOTHING if number is None else self.places[self.starts[number] : self.starts[number + 1]]
