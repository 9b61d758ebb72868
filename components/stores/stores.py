"""``Stores``: everything the thin products know, and what of it a viewer's request may use."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from components.stores.graph import Graph
from components.stores.ids import IdIndex
from components.stores.labels import SafetyLabels
from components.stores.posts import PostStore

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLLOW, ENGAGEMENT, INTEREST = "follow", "engagement", "interest"
BLOCK, MUTE, DISMISSED = "block", "mute", "dismissed"
SUBSCRIBED, MUTE_REPOSTS, SHOW_LESS, SHOW_MORE = "subscribed", "mute_reposts", "show_less", "show_more"
"""Kinds of graphs."""
MUTED_WORDS = "muted_words"
DECISIONS = (BLOCK, MUTE, DISMISSED, SUBSCRIBED, MUTE_REPOSTS, SHOW_LESS, SHOW_MORE)
"""Kinds that say what a user decided about another."""


@attrs.frozen(eq=False, slots=False)
class Stores:
    """Users, their posts, and who follows, engages with or avoids what.

    Args:
        users: user ids; all graphs use their rows.
        names: ``(users,)`` what to call them; empty for "by id".
        posts: posts of these users.
        graphs: by kind; a missing one has no edges. ``follow`` and all ``DECISIONS``: users to users;
            ``engagement``: users to posts, each pair once, when it first happened; ``interest``: users to things.
        now_ms: the moment just after everything that is known.
        traits: further ``(users,)`` columns by name: ``created_ms``, ``language``.
        labels: what is wrong with posts and accounts; None when nothing was said about any.
        phrases: words that somebody does not want to read; the graph ``muted_words`` leads to them.
    """

    users: IdIndex
    names: NDArray[np.object_]
    posts: PostStore
    graphs: Mapping[str, Graph]
    now_ms: int
    traits: Mapping[str, NDArray[Any]] = attrs.field(factory=dict)
    labels: SafetyLabels | None = None
    phrases: tuple[str, ...] = ()

    @cached_property
    def follows(self) -> Graph:
        """Users to the users they follow or, where nobody follows, act upon."""
        return self._graph(FOLLOW, len(self.users))

    @cached_property
    def engagements(self) -> Graph:
        """Users to the posts they engaged with."""
        return self._graph(ENGAGEMENT, len(self.posts))

    @cached_property
    def interests(self) -> Graph:
        """Users to the things they are interested in."""
        return self._graph(INTEREST, 0)

    @cached_property
    def decisions(self) -> Mapping[str, Graph]:
        """Users to the users about whom they decided something, by kind."""
        return {kind: self._graph(kind, len(self.users)) for kind in DECISIONS}

    @cached_property
    def muted_words(self) -> Graph:
        """Users to the phrases that they do not want to read."""
        return self._graph(MUTED_WORDS, len(self.phrases))

    def _graph(self, kind: str, columns: int) -> Graph:
        return self.graphs.get(kind) or Graph.build([], [], shape=(len(self.users), columns))

    def called(self, row: int) -> str:
        """What to call a user in a sentence."""
        return self.names[row] or str(self.users.ids[row])

    def history(self, user_id: int, now_ms: int, *, since_ms: int = 0, personalised: bool = True) -> History:
        """What is known about a user before a moment; nothing for an unknown user.

        Args:
            user_id: whose.
            now_ms: nothing at or after this moment is in it.
            since_ms: engagements before do not count.
            personalised: False leaves out follows and engagements; decisions about people stay in force.
        """
        row = self.users.row_of(user_id)
        asked = row if personalised else -1
        engaged, times = self.engagements.of(asked, now_ms), self.engagements.times_of(asked, now_ms)
        return History(
            self,
            row,
            now_ms,
            follows=self.follows.of(asked, now_ms),
            engaged=engaged[np.searchsorted(times, since_ms) :],
            blocked_by=self.decisions[BLOCK].reverse.of(row, now_ms),
        )


@attrs.frozen(eq=False, slots=False)
class History:
    """What a request may know about its viewer; made once a request, so that stages need not.

    Args:
        stores: where the rows point.
        row: the viewer's row; -1 if unknown.
        now_ms: nothing at or after this moment is in here.
        follows: ``(f,)`` user rows, oldest first.
        engaged: ``(e,)`` post rows, oldest first.
        blocked_by: ``(b,)`` users who block the viewer.
    """

    stores: Stores = attrs.field(repr=False)
    row: int
    now_ms: int
    follows: NDArray[np.int32]
    engaged: NDArray[np.int32]
    blocked_by: NDArray[np.int32]

    @property
    def joined_ms(self) -> int:
        """When the viewer's account was made; 0 if unknown."""
        created = self.stores.traits.get("created_ms")
        return 0 if created is None or self.row < 0 else int(created[self.row])

    @property
    def muted_phrases(self) -> tuple[str, ...]:
        """Words, or words in a row, that the viewer does not want to read."""
        wanted = self.stores.muted_words.of(self.row, self.now_ms)
        return tuple(self.stores.phrases[at] for at in wanted.tolist())

    def decided(self, kind: str) -> NDArray[np.int32]:
        """``(d,)`` users about whom the viewer decided something, oldest first."""
        return self.stores.decisions[kind].of(self.row, self.now_ms)

    def _mask(self, kind: str) -> NDArray[np.bool_]:
        return mask_of(self.decided(kind), len(self.stores.users))

    @cached_property
    def follow_mask(self) -> NDArray[np.bool_]:
        """``(users,)`` whom the viewer follows."""
        return mask_of(self.follows, len(self.stores.users))

    @cached_property
    def blocked_mask(self) -> NDArray[np.bool_]:
        """``(users,)`` whom the viewer blocks."""
        return self._mask(BLOCK)

    @cached_property
    def muted_mask(self) -> NDArray[np.bool_]:
        """``(users,)`` whom the viewer mutes."""
        return self._mask(MUTE)

    @cached_property
    def muted_reposts_mask(self) -> NDArray[np.bool_]:
        """``(users,)`` whose reposts the viewer mutes."""
        return self._mask(MUTE_REPOSTS)

    @cached_property
    def subscribed_mask(self) -> NDArray[np.bool_]:
        """``(users,)`` to whom the viewer subscribes."""
        return self._mask(SUBSCRIBED)

    @cached_property
    def avoided_mask(self) -> NDArray[np.bool_]:
        """``(users,)`` whom the viewer blocks or mutes."""
        return self.blocked_mask | self.muted_mask

    @cached_property
    def blocked_by_mask(self) -> NDArray[np.bool_]:
        """``(users,)`` who block the viewer."""
        return mask_of(self.blocked_by, len(self.stores.users))

    @cached_property
    def proof_mask(self) -> NDArray[np.bool_]:
        """``(users,)`` who may be named behind a recommendation: followed, not avoided, and not blocking the viewer."""
        return self.follow_mask & ~self.avoided_mask & ~self.blocked_by_mask

    @cached_property
    def engaged_mask(self) -> NDArray[np.bool_]:
        """``(posts,)`` what the viewer has engaged with."""
        return mask_of(self.engaged, len(self.stores.posts))


def mask_of(rows: NDArray[np.integer], length: int) -> NDArray[np.bool_]:
    """``(length,)`` true at ``rows``."""
    mask = np.zeros(length, dtype=np.bool_)
    mask[rows] = True
    return mask
