"""What viewers asked for, put into effect on their next request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from components.scores import rescored
from components.stores.stores import Stores
from components.stores.types import Post, Viewer, setting
from components.transforms.quotas import shares
from mixer import Candidates, Transform
from mixer.params import Param
from mixer.transforms import Trait

if TYPE_CHECKING:
    from numpy.typing import NDArray


@attrs.frozen
class Wishes(Transform[Viewer, Post]):
    """Multiplies scores by what the viewer's controls say, and sorts.

    More and less of an author or a topic multiply by ``more`` and ``less``. The slider of discovery multiplies posts
    in network by ``2 - 2 d`` and others by ``2 d``, at most 1 each, so that the middle changes nothing. Freshness
    multiplies by ``0.5 ** (age / half life)``.

    Args:
        stores: topics and ages.
        more: of a wanted author or topic.
        less: of an unwanted one.
    """

    stores: Stores = attrs.field(repr=False)
    more: float | Param[float] = 2.0
    less: float | Param[float] = 0.2
    traits = Trait.REORDERS | Trait.ANNOTATES

    def transform(self, target: Viewer, candidates: Candidates[Post]) -> Candidates[Post]:
        terms = self._terms(target, candidates)
        if not terms:
            return candidates
        factor = np.multiply.reduce(list(terms.values()))
        return rescored(self.name, candidates, {Post.score: candidates[Post.score] * factor}, lambda: terms)

    def _terms(self, viewer: Viewer, posts: Candidates[Post]) -> dict[str, NDArray[Any]]:
        wishes = viewer.controls
        more, less = setting(viewer, self.more), setting(viewer, self.less)
        topics = self.stores.posts.number("topic", -1)[posts[Post.row]]
        authors = posts[Post.author_id]
        asked = (
            ("more_of_author", authors, wishes.more_authors, more),
            ("less_of_author", authors, wishes.less_authors, less),
            ("more_of_topic", topics, wishes.more_topics, more),
            ("less_of_topic", topics, wishes.less_topics, less),
        )
        terms = {
            name: np.where(np.isin(values, list(chosen)), factor, 1.0)
            for name, values, chosen, factor in asked
            if chosen
        }
        if wishes.discovery != 0.5:
            followed, strange = shares(wishes)
            terms["discovery"] = np.where(posts[Post.in_network], followed, strange)
        if wishes.half_life_h is not None:
            terms["freshness"] = 0.5 ** (posts[Post.age_h] / wishes.half_life_h)
        return terms
