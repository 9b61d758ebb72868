from __future__ import annotations

import numpy as np

from components.stores.ids import IdIndex
from components.stores.posts import PostStore
from components.stores.types import Post
from components.transforms.slates import TopicAndAuthor
from mixer import Candidates


def test_topic_and_author_say_how_alike_posts_are():
    authors, topics = [1, 1, 2, 2], [5, 5, 5, -1]
    index = IdIndex(np.array([1, 2]))
    store = PostStore.build(index, [10, 11, 12, 13], authors, [0] * 4, topic=topics)
    posts = Candidates(
        Post, {Post.id: store.index.ids, Post.row: np.arange(4), Post.author_row: store.author}
    )
    vectors = TopicAndAuthor(store)(None, posts)
    expected = [
        [1.0, 1.0, 0.7, 0.0],
        [1.0, 1.0, 0.7, 0.0],
        [0.7, 0.7, 1.0, 0.3**0.5],
        [0.0, 0.0, 0.3**0.5, 1.0],
    ]
    np.testing.assert_allclose(vectors @ vectors.T, expected, atol=1e-12)
