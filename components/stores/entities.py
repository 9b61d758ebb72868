"""``EntityIndex``: what posts are about (an artist, a link), and who engaged with what is about the same."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

from components.stores.graph import Graph
from components.stores.posts import PostStore


@attrs.frozen(eq=False)
class EntityIndex:
    """Entities in rows, as of any moment.

    Args:
        of_post: ``(posts,)`` row of each post's entity; -1 for none.
        engaged: users to the entities of the posts that they engaged with, each pair once, when it first happened.
        about: entities to posts; of posts made at one moment the smallest row comes last.
    """

    of_post: NDArray[np.int64]
    engaged: Graph
    about: Graph

    @classmethod
    def of(cls, posts: PostStore, engagements: Graph) -> EntityIndex:
        """Of posts, and of who engaged with which."""
        of_post = posts.code("entity_id") - 1
        entities = int(of_post.max(initial=-1)) + 1
        users, about = engagements.sources, of_post[engagements.ends]
        engaged = Graph.build(users, about, engagements.time_ms, shape=(len(engagements), entities)).distinct
        rows = np.arange(len(posts))[::-1]
        about_them = Graph.build(of_post[rows], rows, posts.created_ms[rows], shape=(entities, len(posts)))
        return cls(of_post, engaged, about_them)
