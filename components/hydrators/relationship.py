"""How a viewer and an author stand to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np

from components.models.real_graph.scores import RealGraphScores
from components.stores.stores import Stores
from components.stores.tally import looked_up, tally
from components.stores.types import Post, Viewer
from mixer import Candidates, Hydrator
from mixer.hydrators import Columns

if TYPE_CHECKING:
    from numpy.typing import NDArray


@attrs.frozen
class MutualFollow(Hydrator[Viewer, Post]):
    """Do viewer and author follow each other?

    Source: the bidirectional follow of 2026, which covers every author, out of network too.
    """

    stores: Stores = attrs.field(repr=False)
    reads: ClassVar[Any] = (Post.author_row,)
    writes: ClassVar[Any] = (Post.mutual_follow,)

    def hydrate(self, viewer: Viewer, posts: Candidates[Post]) -> Columns:
        history = viewer.history
        followers = self.stores.follows.reverse.of(history.row, history.now_ms)
        both = followers[history.follow_mask[followers]]
        return {Post.mutual_follow: np.isin(posts[Post.author_row], both)}


@attrs.frozen
class FollowedBy(Hydrator[Viewer, Post]):
    """How many of those whom the viewer follows follow the author; who is avoided, or blocks the viewer, is no proof.

    Counted from whichever end has fewer edges, so that neither a viewer who follows thousands nor an author whom
    millions follow makes it slow.

    Source: followed-by proof of the graph feature service: those followed, intersected with who follows the author;
    valid social context of 2023: neither blocked nor muted.
    """

    stores: Stores = attrs.field(repr=False)
    reads: ClassVar[Any] = (Post.author_row,)
    writes: ClassVar[Any] = (Post.followed_by,)

    def hydrate(self, viewer: Viewer, posts: Candidates[Post]) -> Columns:
        authors, author = np.unique(posts[Post.author_row], return_inverse=True)
        return {Post.followed_by: self._counts(viewer, authors).astype(np.int32)[author]}

    def _counts(self, viewer: Viewer, authors: NDArray[np.int64]) -> NDArray[np.int64]:
        history, follows = viewer.history, self.stores.follows
        now_ms, proves = history.now_ms, history.proof_mask
        friends = history.follows[proves[history.follows]]
        if follows.degrees(friends, now_ms).sum() <= follows.reverse.degrees(authors, now_ms).sum():
            at, _ = follows.expand(friends, before_ms=now_ms)
            return looked_up(tally(follows.ends[at]), authors)
        at, author = follows.reverse.expand(authors, before_ms=now_ms)
        return np.bincount(author[proves[follows.reverse.ends[at]]], minlength=len(authors))


@attrs.frozen
class TieStrength(Hydrator[Viewer, Post]):
    """How likely the viewer is to interact with the author, as RealGraph learned; 0 where it says nothing.

    Args:
        ties: probabilities, for the users of the stores that are served; requests before their moment know none.

    Source: For You's feature "RealGraph viewer-author".
    """

    ties: RealGraphScores = attrs.field(repr=False)
    reads: ClassVar[Any] = (Post.author_row,)
    writes: ClassVar[Any] = (Post.tie_strength,)

    def hydrate(self, viewer: Viewer, posts: Candidates[Post]) -> Columns:
        history, graph = viewer.history, self.ties.graph
        row = history.row if viewer.controls.personalised else -1
        span = graph.span_of(row, history.now_ms)
        ties = tally(graph.ends[span], self.ties.weights[span])
        return {Post.tie_strength: looked_up(ties, posts[Post.author_row]).astype(np.float32)}
