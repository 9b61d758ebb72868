"""How near a post is to its viewer in a learned space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np

from components.stores.types import Post, Viewer
from components.stores.vectors import RecentVectors
from mixer import Candidates, Column, Hydrator
from mixer.hydrators import Columns

if TYPE_CHECKING:
    from components.embeddings.simclusters.search import SimClustersSearch


@attrs.frozen
class Similarity(Hydrator[Viewer, Post]):
    """The inner product of the viewer's vector and the post's; NaN where one is unknown or the post is older.

    It is what the source over the same vectors scores, of posts that other sources found, too.

    Args:
        vectors: of viewers and posts.
        column: the column to write; the hydrator bears its name.

    Source: For You's features of user and post embeddings.
    """

    vectors: RecentVectors = attrs.field(repr=False)
    column: Column[Any, Any]
    reads: ClassVar[Any] = (Post.row,)

    @property
    def name(self) -> str:
        return self.column.name

    @property
    def writes(self) -> Any:
        return (self.column,)

    def hydrate(self, viewer: Viewer, posts: Candidates[Post]) -> Columns:
        return {self.column: self.vectors.products(viewer, posts[Post.row])}


@attrs.frozen
class SimClustersSimilarity(Hydrator[Viewer, Post]):
    """The cosine of the viewer's interests and of the communities that engaged with the post; NaN without either.

    Source: For You's SimClusters similarity of viewer and post.
    """

    search: SimClustersSearch = attrs.field(repr=False)
    label: ClassVar[str] = Post.simclusters_similarity.name
    reads: ClassVar[Any] = (Post.row,)
    writes: ClassVar[Any] = (Post.simclusters_similarity,)

    def hydrate(self, viewer: Viewer, posts: Candidates[Post]) -> Columns:
        if not viewer.controls.personalised:
            return {Post.simclusters_similarity: np.full(len(posts), np.nan, np.float32)}
        found = self.search.cosines(viewer.user_id, posts[Post.row], viewer.history.now_ms)
        return {Post.simclusters_similarity: found}
