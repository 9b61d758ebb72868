"""Labels of posts and accounts as bits, so that a rule is one comparison for all candidates."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, TypeVar

import attrs
import numpy as np

from components.datasets import Dataset
from components.stores.ids import IdIndex

if TYPE_CHECKING:
    from numpy.typing import NDArray

L = TypeVar("L", bound=Enum)
LEAST_SCORE = 0.8
"""A scored label counts from here on: the drop threshold of the safety models."""


class PostLabel(Enum):
    """What can be wrong with a post. Source: the labels that For You's visibility rules name, 2023 and 2026."""

    PDNA = "pdna"
    BOUNCE = "bounce"
    SPAM = "spam"
    EMERGENCY_ONLY = "emergency_only"
    HATEFUL_CONDUCT = "hateful_conduct"
    VIOLENT_SPEECH = "violent_speech"
    ABUSE = "abuse"
    CIVIC_INTEGRITY = "civic_integrity"
    NULLCAST = "nullcast"
    STALE_EDIT = "stale_edit"
    TAKEDOWN = "takedown"
    SENSITIVE = "sensitive"
    EXCLUSIVE = "exclusive"
    NSFW_HIGH_PRECISION = "nsfw_high_precision"
    GORE = "gore"
    NSFW_CARD = "nsfw_card"
    DMCA = "dmca"
    GEO_RESTRICTED = "geo_restricted"
    NSFW_USER = "nsfw_user"
    NSFW_ADMIN = "nsfw_admin"
    NSFW_HIGH_RECALL = "nsfw_high_recall"
    DO_NOT_AMPLIFY = "do_not_amplify"
    MALICIOUS_URL = "malicious_url"
    SPAM_HIGH_RECALL = "spam_high_recall"
    NSFW_TEXT = "nsfw_text"
    INSULTS = "insults"


class AccountLabel(Enum):
    """What can be wrong with an account. Source: as for posts."""

    SUSPENDED = "suspended"
    DEACTIVATED = "deactivated"
    ERASED = "erased"
    OFFBOARDED = "offboarded"
    PROTECTED = "protected"
    TAKEDOWN = "takedown"
    NSFW_MEDIA = "nsfw_media"
    NSFW_USER = "nsfw_user"
    NSFW_ADMIN = "nsfw_admin"
    NSFW_HIGH_RECALL = "nsfw_high_recall"
    NSFW_HIGH_PRECISION = "nsfw_high_precision"
    NSFW_NEAR_PERFECT = "nsfw_near_perfect"
    NSFW_AVATAR = "nsfw_avatar"
    NSFW_BANNER = "nsfw_banner"
    SPAM_HIGH_RECALL = "spam_high_recall"
    COMPROMISED = "compromised"
    READ_ONLY = "read_only"
    IMPERSONATION = "impersonation"
    ABUSIVE_HIGH_RECALL = "abusive_high_recall"
    DO_NOT_AMPLIFY = "do_not_amplify"


_ALIASES = {"nsfw": PostLabel.NSFW_HIGH_PRECISION, "toxicity": PostLabel.ABUSE}
"""What the safety models of this repository call their labels."""


@attrs.frozen(eq=False)
class SafetyLabels:
    """Labels of everything in the stores.

    Args:
        posts: ``(posts,)`` bit ``i`` stands for the ``i``-th :class:`PostLabel`.
        accounts: ``(users,)`` likewise for :class:`AccountLabel`.
    """

    posts: NDArray[np.uint64]
    accounts: NDArray[np.uint64]

    @classmethod
    def of(
        cls, data: Dataset, posts: IdIndex, users: IdIndex, least_score: float = LEAST_SCORE
    ) -> SafetyLabels:
        """The labels of a data set; names that no rule knows are left out.

        Args:
            data: with tables ``labels`` and ``account_labels``.
            posts: which posts there are.
            users: which accounts there are.
            least_score: weaker labels do not count.
        """
        strong = data["labels"].where(data["labels"]["score"] >= least_score)
        accounts = data["account_labels"]
        return cls(
            _bits(posts, strong["post_id"], strong["label"], PostLabel, _ALIASES),
            _bits(users, accounts["user_id"], accounts["label"], AccountLabel, {}),
        )


def bit_of(label: Enum) -> np.uint64:
    """The bit of a label."""
    return np.uint64(1) << np.uint64(list(type(label)).index(label))


def _bits(
    index: IdIndex, ids: NDArray[np.int64], names: NDArray[np.object_], labels: type[L], aliases: dict[str, L]
) -> NDArray[np.uint64]:
    bits = np.zeros(len(index), dtype=np.uint64)
    known = {label.value: label for label in labels} | aliases
    rows = index.rows_of(ids)
    for name in set(names.tolist()) & set(known):
        where = rows[(names == name) & (rows >= 0)]
        bits[where] |= bit_of(known[name])
    return bits
