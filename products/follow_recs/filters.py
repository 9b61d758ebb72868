"""Which accounts are left out before ranking and of the few that may be shown, in the published order."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from components.predicates import accounts
from components.predicates.switched import Switched
from components.stores.stores import Stores
from components.stores.types import Account, Viewer
from mixer import CandidatePredicate, OnError
from mixer.candidate_predicates import all_of
from products.follow_recs import params
from products.follow_recs.budgets import PUBLISHED
from products.follow_recs.sources import SOCIAL

Filter = CandidatePredicate[Viewer, Account]


def before_ranking(stores: Stores) -> Filter:
    """In memory, one after the other; where an answer is missing, comfort gives way and protection does not."""
    acts = (stores.posts.by_author, stores.engagements, stores.follows)
    filters: Mapping[str, tuple[Filter, OnError]] = {
        "excluded": (accounts.NotExcluded(), OnError.DROP),
        "followed": (accounts.NotAmong(lambda one: one.followed, "already_followed"), OnError.KEEP),
        "dismissed": (accounts.NotAmong(lambda one: one.dismissed, "dismissed_candidate"), OnError.KEEP),
        "recommended": (accounts.NotRecommended(), OnError.KEEP),
        "relationship": (
            accounts.NotAmong(lambda one: one.avoided, "invalid_relationship", OnError.DROP),
            OnError.DROP,
        ),
        "near_zero": (accounts.ActedLately(acts, params.NEAR_ZERO_DAYS, "near_zero"), OnError.KEEP),
    }
    parts = [
        Switched(
            one.on_error(policy, within_s=PUBLISHED.of("pre_ranker_filter", name)).observe(
                f"pre_ranker/{name}"
            ),
            params.FILTERS[name],
        )
        for name, (one, policy) in filters.items()
    ]
    return reduce(lambda every, one: every.and_then(one), parts[1:], parts[0])


def before_showing(stores: Stores) -> Filter:
    """What could not be judged in time is not shown; hold-backs come last, so that they measure what they hold back."""
    standing_s = PUBLISHED.of("filter_and_take", "account_state")
    standing = accounts.InGoodStanding(stores).on_error(OnError.DROP, within_s=standing_s)
    posted = accounts.ActedLately((stores.posts.by_author,), params.INACTIVE_DAYS, "inactive")
    avoiding = accounts.NotAmong(lambda one: one.avoiding, "relationship", OnError.DROP)
    together_s = PUBLISHED.of("filter_and_take", "relationships")
    safe = avoiding.on_error(OnError.DROP, within_s=together_s)
    judged = all_of(
        Switched(standing.observe("validation/account_state"), params.FILTERS["account_state"]),
        Switched(safe.observe("validation/relationships"), params.FILTERS["relationships"]),
        Switched(posted.on_error(OnError.DROP).observe("validation/inactive"), params.FILTERS["inactive"]),
    )
    return judged.and_then(accounts.HeldBackSources(SOCIAL, params.HOLD_BACK_SOCIAL)).and_then(
        accounts.HeldBackAccounts(params.HOLD_BACK_ACCOUNTS)
    )
