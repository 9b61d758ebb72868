"""What a ranker may know about a viewer and a post."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np

from components.stores.stores import Stores
from components.stores.tally import looked_up, tally
from components.stores.types import Post, Viewer, setting
from components.stores.views import ViewCounts
from components.units import HOUR_MS
from mixer import Candidates, Hydrator
from mixer.hydrators import Columns
from mixer.params import Param

if TYPE_CHECKING:
    from numpy.typing import NDArray


@attrs.frozen
class NetworkStatus(Hydrator[Viewer, Post]):
    """Does the viewer follow the author, and how many others do?"""

    stores: Stores = attrs.field(repr=False)
    reads: ClassVar[Any] = (Post.author_row,)
    writes: ClassVar[Any] = (Post.in_network, Post.author_followers)

    def hydrate(self, viewer: Viewer, posts: Candidates[Post]) -> Columns:
        authors, history = posts[Post.author_row], viewer.history
        followers = self.stores.follows.reverse.degrees(authors, history.now_ms)
        return {
            Post.in_network: history.follow_mask[authors],
            Post.author_followers: followers.astype(np.float32),
        }


@attrs.frozen
class Affinity(Hydrator[Viewer, Post]):
    """How much the viewer engaged with the author, with the topic, and in the language."""

    stores: Stores = attrs.field(repr=False)
    reads: ClassVar[Any] = (Post.row, Post.author_row)
    writes: ClassVar[Any] = (Post.author_affinity, Post.topic_affinity, Post.same_language)

    def hydrate(self, viewer: Viewer, posts: Candidates[Post]) -> Columns:
        rows, store, engaged = posts[Post.row], self.stores.posts, viewer.history.engaged
        by_author = tally(store.author[engaged])
        languages = self._counts("language", engaged)
        return {
            Post.author_affinity: looked_up(by_author, posts[Post.author_row]).astype(np.float32),
            Post.topic_affinity: self._share("topic", rows, self._counts("topic", engaged)),
            Post.same_language: (self._share("language", rows, languages) > 0).astype(np.float32),
        }

    def _counts(self, trait: str, engaged: NDArray[np.int32]) -> NDArray[np.int64]:
        posts = self.stores.posts
        return np.bincount(posts.code(trait)[engaged], minlength=posts.codes(trait))

    def _share(self, trait: str, rows: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.float32]:
        codes = self.stores.posts.code(trait)[rows]
        return np.where(codes > 0, counts[codes] / max(int(counts.sum()), 1), 0.0).astype(np.float32)


@attrs.frozen
class Popularity(Hydrator[Viewer, Post]):
    """How many engaged in the window before the request, and how many of those whom the viewer follows ever did.

    Source: UTEG looks at the latest 500 engagements of each followed user.
    """

    stores: Stores = attrs.field(repr=False)
    window_h: float | Param[float] = 24.0
    latest: int = 500
    reads: ClassVar[Any] = (Post.row,)
    writes: ClassVar[Any] = (Post.recent_engagements, Post.followed_engagers)

    def hydrate(self, viewer: Viewer, posts: Candidates[Post]) -> Columns:
        rows, history, engagements = posts[Post.row], viewer.history, self.stores.engagements
        since_ms = history.now_ms - int(setting(viewer, self.window_h) * HOUR_MS)
        engagers = engagements.reverse
        recent = engagers.degrees(rows, history.now_ms) - engagers.degrees(rows, since_ms)
        at, _ = engagements.expand(history.follows, before_ms=history.now_ms, latest=self.latest)
        return {
            Post.recent_engagements: recent.astype(np.float32),
            Post.followed_engagers: looked_up(tally(engagements.ends[at]), rows).astype(np.int32),
        }


@attrs.frozen
class PostTraits(Hydrator[Viewer, Post]):
    """What kind of post it is, and how old."""

    stores: Stores = attrs.field(repr=False)
    reads: ClassVar[Any] = (Post.row, Post.created_ms)
    writes: ClassVar[Any] = (Post.age_h, Post.has_media, Post.is_reply)

    def hydrate(self, viewer: Viewer, posts: Candidates[Post]) -> Columns:
        rows, store = posts[Post.row], self.stores.posts
        age_h = (viewer.history.now_ms - posts[Post.created_ms]) / HOUR_MS
        return {
            Post.age_h: np.maximum(age_h, 0.0).astype(np.float32),
            Post.has_media: (store.number("media", 0)[rows] > 0).astype(np.float32),
            Post.is_reply: (store.number("reply_to", -1)[rows] >= 0).astype(np.float32),
        }


@attrs.frozen
class Views(Hydrator[Viewer, Post]):
    """How often each post was shown."""

    counts: ViewCounts = attrs.field(repr=False)
    writes: ClassVar[Any] = (Post.views,)

    def hydrate(self, viewer: Viewer, posts: Candidates[Post]) -> Columns:
        return {Post.views: self.counts.of(posts.ids)}
