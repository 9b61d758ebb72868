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
        history = viewer.history
        at, candidate = self.behind.expand(candidates[self.row], before_ms=history.now_ms)
        people = self.behind.ends[at]
        followed = history.proof_mask[people]
        groups = _groups(people[followed], candidate[followed], len(candidates))
        proofs = np.empty(len(candidates), dtype=object)
        for index, group in enumerate(groups):  # the shown page only
            proofs[index] = tuple(self.stores.users.ids[group[::-1][: self.count]].tolist())
        return candidates.with_columns({self.proof: proofs})


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
