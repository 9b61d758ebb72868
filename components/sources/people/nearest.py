"""Accounts by learned similarity: where a viewer's next follow is expected, and whom the viewer's communities know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import attrs
import numpy as np

from components.embeddings.twhin.relations import USER
from components.sources.answers import others
from components.stores.stores import Stores
from components.stores.types import Account, Viewer
from mixer import Candidates, CandidateSource
from mixer.params import Param

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from components.embeddings.simclusters.model import SimClusters
    from components.embeddings.twhin.embeddings import TwhinEmbeddings


class AccountSpace(Protocol):
    """How near every account is to what a user is expected to choose."""

    @property
    def name(self) -> str: ...

    def nearness(self, user_id: int) -> NDArray[np.floating]:
        """``(users,)``; 0 or less where nothing is known."""
        ...


@attrs.frozen(eq=False)
class TwhinAccounts:
    """Inner products of where a relation from a user leads with where users are.

    Args:
        embeddings: with a relation between users.
        user_ids: ``(users,)`` whose rows are answered about.
        relation: between users.
        keys: ``(users, d)``; zeros are unknown.
    """

    embeddings: TwhinEmbeddings
    user_ids: NDArray[np.int64]
    relation: str
    keys: NDArray[np.float32]
    name = "twhin_accounts"

    @classmethod
    def of(cls, stores: Stores, embeddings: TwhinEmbeddings) -> TwhinAccounts | None:
        """Over ``follow``, or else the first relation between users; None if there is none."""
        relations = embeddings.relations
        fitting = [name for name, one in relations.items() if (one.source, one.target) == (USER, USER)]
        if not fitting:
            return None
        chosen = "follow" if "follow" in fitting else fitting[0]
        return cls(embeddings, stores.users.ids, chosen, embeddings.vectors(USER, stores.users.ids))

    def nearness(self, user_id: int) -> NDArray[np.floating]:
        return self.keys @ self.embeddings.query(self.relation, [user_id])[0]


@attrs.frozen(eq=False)
class SimClustersAccounts:
    """Inner products of what a user is interested in with what accounts are known for, at length 1.

    Source: SimClusters: InterestedIn of the viewer, KnownFor of producers.
    """

    model: SimClusters
    known_for: sparse.csr_array
    name = "simclusters_accounts"

    @classmethod
    def of(cls, stores: Stores, model: SimClusters) -> SimClustersAccounts:
        """Over all users of the stores."""
        from components.embeddings.simclusters.model import unit_rows

        return cls(model, unit_rows(model.authors(stores.users.ids)))

    def nearness(self, user_id: int) -> NDArray[np.floating]:
        interests = self.model.consumers([user_id])
        return np.asarray((self.known_for @ interests.T).todense()).ravel()


@attrs.frozen
class NearestAccounts(CandidateSource[Viewer, Account]):
    """The accounts that a learned space puts nearest to the viewer, followed ones left out.

    Args:
        stores: where users are.
        space: learned before the requests that it serves; the source bears its name.
        cap: how many accounts to answer with.
    """

    stores: Stores = attrs.field(repr=False)
    space: AccountSpace = attrs.field(repr=False)
    cap: int | Param[int] = 200

    @property
    def name(self) -> str:
        return self.space.name

    def fetch(self, viewer: Viewer) -> Candidates[Account]:
        if not viewer.controls.personalised:
            return Candidates.empty(Account)
        scores = self.space.nearness(viewer.user_id)
        near = np.flatnonzero(scores > 0)
        return others(self.stores, viewer, near, scores[near], self.cap)
