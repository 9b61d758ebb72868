"""Which posts are left out before ranking, in the published order."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from components.predicates import listed, timeline
from components.predicates.switched import Switched
from components.predicates.viewer import MaxAge, NotIn
from components.sources.backfill import Backfill
from components.stores.stores import Stores
from components.stores.types import Post, Viewer
from mixer import CandidatePredicate, OnError
from products.for_you import params

Filter = CandidatePredicate[Viewer, Post]
Shown = Callable[[Viewer, NDArray[np.int64]], NDArray[np.bool_]]


def protecting(stores: Stores) -> Mapping[str, Filter]:
    """Filters that keep a promise to somebody; when they fail, nothing is shown that they have not judged."""
    return {
        "subscribers": timeline.ForSubscribers(stores),
        "people": timeline.PeopleGetAlong(stores),
        "muted_words": timeline.NoMutedWords(stores, muted_phrases),
        "withheld": listed.NotWithheld(stores, params.WITHHELD_POSTS, params.WITHHELD_AUTHORS),
    }


def before_ranking(stores: Stores, seen: Shown, served: Shown, this_week: Shown) -> Filter:
    """One after the other; where an answer is missing, comfort gives way and protection does not.

    Args:
        stores: what is known.
        seen: a viewer and ids to which of them the viewer was shown lately.
        served: which the viewer was answered just now.
        this_week: which the viewer was shown within a week, or seems to have been.
    """
    guards = protecting(stores)
    switched: Mapping[str, Filter] = {
        "own": timeline.NotOwn(stores),
        "replies": timeline.NoStrangersReplies(stores),
        "subscribers": guards["subscribers"],
        "seen": timeline.NotShownBefore(stores, seen),
        "served": timeline.NotShownBefore(stores, served, "already_served"),
        "muted_words": guards["muted_words"],
        "people": guards["people"],
        "elections": listed.NotListedUnlessFollowed(stores, params.ELECTION_ACCOUNTS),
        "withheld": guards["withheld"],
        "competitors": listed.NotCompeting(stores, params.COMPETITORS, params.COMPETITOR_HOSTS),
        "support": listed.NoSupportReplies(stores, params.SUPPORT_ACCOUNTS, params.AUTOMATIC_S),
        "conversations": timeline.WholeConversation(stores),
        "fatigue": timeline.NotFatigued(stores, params.FATIGUE_DAYS),
        "engaged": NotIn(Post.row, lambda history: history.engaged_mask, "already_engaged"),
    }
    backfilled = {Backfill.label: params.BACKFILL_AGE_H}
    every: Filter = timeline.KnownAuthor().and_then(MaxAge(params.MAX_AGE_H, backfilled))
    for name, one in switched.items():
        policy = OnError.DROP if name in guards else OnError.KEEP
        every = every.and_then(Switched(one, params.FILTERS[name]).on_error(policy))
    seen_this_week = timeline.NotShownBefore(stores, this_week, "seen_this_week")
    return (
        every.and_then(Switched(seen_this_week, params.SEEN_THIS_WEEK).on_error(OnError.KEEP))
        .and_then(timeline.NewerThanPage())
        .and_then(timeline.WantedMedia(stores))
        .and_then(timeline.WantedTopics(stores))
        .and_then(timeline.ProvenToStrangers(stores, params.NEW_VIEWER_LEAST))
        .and_then(timeline.Holdout(stores, params.HOLDOUT))
    )


def muted_phrases(viewer: Viewer) -> tuple[str, ...]:
    """What the viewer does not want to read, as stored and as asked for."""
    return (*viewer.history.muted_phrases, *viewer.controls.muted_words)
