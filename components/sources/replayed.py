"""``ReplayedPosts``: what was ranked for the viewer a moment ago."""

from __future__ import annotations

import attrs

from components.sources.answers import posts_at
from components.stores.stores import Stores
from components.stores.types import Post, Viewer
from mixer import Candidates, CandidateSource


@attrs.frozen
class ReplayedPosts(CandidateSource[Viewer, Post]):
    """The candidates of the viewer's earlier request, with the ranker's scores; none if there are none to reuse.

    Source: For You's cached posts, which stand in for all other sources.
    """

    stores: Stores = attrs.field(repr=False)

    def fetch(self, viewer: Viewer) -> Candidates[Post]:
        if viewer.replay is None:
            return Candidates.empty(Post)
        rows = self.stores.posts.index.rows_of(viewer.replay.ids)
        known = rows >= 0
        return posts_at(self.stores, rows[known], viewer.replay.scores[known])
