"""What only shown rows need: the people behind a recommendation, and texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from components.stores.graph import Graph
from components.stores.stores import Stores
from components.stores.types import Account, Post, Viewer
from mixer import Candidates, Column, Transform

if TYPE_CHECKING:
    from numpy.typing import NDArray


@attrs.frozen
class SocialProof(Transform[Viewer, Any]):
    """Writes up to ``count`` ids of followed users behind each candidate, latest first; nobody who is avoided.

    Args:
        stores: where users are.
        behind: candidates' rows to the users behind them: who engaged with a post, who follows an account.
        row: the column of the candidate's row in ``behind``.
        proof: the column to write.
        count: how many.

    Source: FRS social proof: 3 ids; valid social context of 2023: followed, neither blocked nor muted.
    """

    stores: Stores = attrs.field(repr=False)
    behind: Graph = attrs.field(repr=False)
    row: Column[Any, Any]
    proof: Column[Any, Any]
    count: int = 3

    @property
    def name(self) -> str:
        return self.proof.name

    def transform(self, viewer: Viewer, candidates: Candidates[Any]) -> Candidates[Any]:
        rows, place = np.unique(candidates[self.row], return_inverse=True)
        people, row = self._behind(viewer, rows)
        groups = _groups(people, row, len(rows))
        found = np.empty(len(rows), dtype=object)
        for index, group in enumerate(groups):  # the shown page only
            found[index] = tuple(self.stores.users.ids[group[::-1][: self.count]].tolist())
        return candidates.with_columns({self.proof: found[place]})

    def _behind(self, viewer: Viewer, rows: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Followed people behind the rows, and the index of each one's row; row by row, oldest first.

        Looked up from whichever end has fewer edges: an author may have a million followers, a viewer follows few.
        """
        history, ends = viewer.history, self.behind.reverse
        friends = np.unique(history.follows[history.proof_mask[history.follows]])
        now_ms = history.now_ms
        if self.behind.degrees(rows, now_ms).sum() <= ends.degrees(friends, now_ms).sum():
            at, row = self.behind.expand(rows, before_ms=now_ms)
            people = self.behind.ends[at]
            followed = history.proof_mask[people]
            return people[followed], row[followed]
        at, friend = ends.expand(friends, before_ms=now_ms)
        row = np.searchsorted(rows, ends.ends[at])
        wanted = rows[np.minimum(row, len(rows) - 1)] == ends.ends[at]
        at, friend, row = at[wanted], friend[wanted], row[wanted]
        order = np.lexsort((friend, ends.time_ms[at], row))
        return friends[friend[order]], row[order]


@attrs.frozen
class PostText(Transform[Viewer, Post]):
    """Fetches the texts of the posts that are shown."""

    stores: Stores = attrs.field(repr=False)

    def transform(self, viewer: Viewer, posts: Candidates[Post]) -> Candidates[Post]:
        return posts.with_columns({Post.text: self.stores.posts.text[posts[Post.row]]})


def account_proof(stores: Stores) -> SocialProof:
    """Followed users who follow an account."""
    return SocialProof(stores, stores.follows.reverse, Account.row, Account.social_proof)


def post_proof(stores: Stores) -> SocialProof:
    """Followed users who engaged with a post."""
    return SocialProof(stores, stores.engagements.reverse, Post.row, Post.social_proof)


def author_proof(stores: Stores) -> SocialProof:
    """Followed users who follow the author of a post."""
    return SocialProof(stores, stores.follows.reverse, Post.author_row, Post.author_proof)


def _groups(values: NDArray[Any], group: NDArray[np.int64], count: int) -> list[NDArray[Any]]:
    return np.split(values, np.searchsorted(group, np.arange(1, count))) if count else []
