"""One of each: reposts of one post, answers within one conversation, posts that tell one story."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from components.stores.stores import Stores
from components.stores.types import Post, Viewer
from mixer import Candidates, Transform
from mixer.transforms import Trait

if TYPE_CHECKING:
    from numpy.typing import NDArray


@attrs.frozen
class OneOfEachOriginal(Transform[Any, Post]):
    """Keeps the first of a post and its reposts.

    Args:
        stores: which post is a repost of which.
        natives_first: the post itself stays wherever it stands, as on the following timeline.

    Source: the repost filter; the first wins in 2026, posts themselves in 2023 and on the following timeline.
    """

    stores: Stores = attrs.field(repr=False)
    natives_first: bool = False
    traits = Trait.DROPS

    def transform(self, target: Any, candidates: Candidates[Post]) -> Candidates[Post]:
        threads, rows = self.stores.posts.threads, candidates[Post.row]
        order = np.arange(len(rows))
        if self.natives_first:
            order = np.argsort(threads.is_repost[rows], kind="stable")
        firsts = order[first_of_each(threads.original[rows][order])]
        return candidates.pick(np.sort(firsts))


@attrs.frozen
class OneOfEachConversation(Transform[Any, Post]):
    """Keeps the best post of each conversation, at the place of the conversation's first.

    Source: conversation dedupe of 2026: the conversation is the smallest ancestor; the best score in the earlier slot.
    """

    stores: Stores = attrs.field(repr=False)
    traits = Trait.DROPS | Trait.REORDERS

    def transform(self, target: Any, candidates: Candidates[Post]) -> Candidates[Post]:
        keys = self.stores.posts.threads.conversation[candidates[Post.row]]
        by_score = np.argsort(-np.nan_to_num(candidates[Post.score], nan=-np.inf), kind="stable")
        best = by_score[first_of_each(keys[by_score])]
        slots = first_of_each(keys)
        best_of = dict(zip(keys[best].tolist(), best.tolist(), strict=True))
        chosen = [best_of[key] for key in keys[slots].tolist()]
        return candidates.pick(np.array(chosen, dtype=np.int64))


@attrs.frozen
class WithoutAncestors(Transform[Viewer, Post]):
    """Drops posts that another candidate answers, directly or further down: they are displayed with that one.

    Source: the filter of duplicate conversations of 2023.
    """

    stores: Stores = attrs.field(repr=False)
    traits = Trait.DROPS

    def transform(self, target: Viewer, candidates: Candidates[Post]) -> Candidates[Post]:
        rows = candidates[Post.row]
        above = self.stores.posts.threads.ancestors(rows)
        return candidates.pick(np.flatnonzero(~np.isin(rows, above)))


@attrs.frozen
class OneOfEachStory(Transform[Viewer, Post]):
    """Keeps the first of several posts that say almost the same.

    Two texts are one story when they agree in everything but case, punctuation, links, mentions and numbers. Only
    the first ``among`` posts are compared: what may be shown.
    """

    stores: Stores = attrs.field(repr=False)
    among: int = 200
    traits = Trait.DROPS

    def transform(self, target: Viewer, candidates: Candidates[Post]) -> Candidates[Post]:
        rows = candidates[Post.row]
        told = [story_of(text) for text in self.stores.posts.text[rows[: self.among]].tolist()]
        numbers: dict[str, int] = {}
        # A post without words tells no story: it is a story of its own.
        keys = [
            numbers.setdefault(story, len(numbers)) if story else -1 - place
            for place, story in enumerate(told)
        ]
        firsts = first_of_each(np.array(keys, dtype=np.int64))
        rest = np.arange(len(told), len(rows))
        return candidates.pick(np.concatenate([firsts, rest]))


_LINK_OR_MENTION = re.compile(r"https?://\S+|(?<!\w)@\w+")
_LETTERS = re.compile(r"[^\W\d_]+")


@lru_cache(maxsize=65_536)  # who follows the same people is shown the same texts
def story_of(text: str) -> str:
    """What a text says, without how.

    >>> story_of("BREAKING: tea https://a.b/1 is out!"), story_of("@you Breaking - tea is out (2)")
    ('breaking tea is out', 'breaking tea is out')
    """
    return " ".join(_LETTERS.findall(_LINK_OR_MENTION.sub(" ", text.casefold())))


def first_of_each(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions of the first occurrence of every key, ascending."""
    return np.sort(np.unique(keys, return_index=True)[1])
