"""``NewAuthors``: exploration of authors whom few follow yet."""

from __future__ import annotations

import attrs
import numpy as np
from attrs.validators import and_, ge, le

from components.sources.answers import posts_at
from components.sources.baselines import young_posts
from components.stores.stores import Stores
from components.stores.types import Post, Viewer, setting
from mixer import Candidates, CandidateSource
from mixer.params import Param


@attrs.frozen
class NewAuthors(CandidateSource[Viewer, Post]):
    """The newest post of each of some authors with few followers, drawn by the seed of the request.

    Every such author is equally likely to be drawn; the viewer and whom the viewer follows are not. At most
    ``share`` of ``slate`` posts come, so that exploring costs a bounded part of the timeline.

    Args:
        stores: where posts are.
        most_followers: of an author.
        slate: how many posts all sources together are to give.
        share: of the slate, from 0 to 1.
        max_age_h: of a post.
    """

    stores: Stores = attrs.field(repr=False)
    most_followers: int = 10
    slate: int | Param[int] = 1200
    share: float = attrs.field(default=0.05, validator=and_(ge(0.0), le(1.0)))
    max_age_h: float | Param[float] = 48.0

    def fetch(self, viewer: Viewer) -> Candidates[Post]:
        history, posts = viewer.history, self.stores.posts
        rows = young_posts(self.stores, viewer, setting(viewer, self.max_age_h))
        rows = rows[np.lexsort((rows, -posts.created_ms[rows]))]
        authors, newest = np.unique(posts.author[rows], return_index=True)
        followers = self.stores.follows.reverse.degrees(authors, history.now_ms)
        keep = (followers <= self.most_followers) & ~history.follow_mask[authors] & (authors != history.row)
        rows = rows[newest[keep]]
        count = int(viewer.request.scaled(setting(viewer, self.slate)) * self.share)
        draws = 1.0 - viewer.request.rng(self.name).random(len(rows))
        chosen = np.argsort(-draws, kind="stable")[:count]
        return posts_at(self.stores, rows[chosen], draws[chosen])
