"""The whole flow, read slowly."""

from __future__ import annotations

import math
from collections import Counter

import attrs

from products.for_you import params
from tests.products.twin.filters import reasons
from tests.products.twin.ranking import Ranked, Steps, adjusted, by_score, features, probability, to_rank
from tests.products.twin.sources import SOURCES, Found, likes_of_followed
from tests.products.twin.tables import DAY_MS, Who
from tests.products.twin.visibility import drops, warning

SEEN_MS, SERVED_MS, SERVED = 2 * DAY_MS, 600_000, 100


class Past:
    """What was shown to whom, when."""

    def __init__(self) -> None:
        self.shown: list[tuple[int, int, int]] = []

    def record(self, viewer: int, ids: list[int], at: int) -> None:
        self.shown += [(viewer, one, at) for one in ids]

    def seen(self, viewer: int, now_ms: int) -> set[int]:
        return {one for user, one, at in self.shown if user == viewer and now_ms - SEEN_MS < at <= now_ms}

    def served(self, viewer: int, now_ms: int) -> set[int]:
        latest = [(one, at) for user, one, at in self.shown if user == viewer][-SERVED:]
        return {one for one, at in latest if now_ms - SERVED_MS < at <= now_ms}

    def views(self) -> Counter[int]:
        return Counter(one for _, one, _ in self.shown)


@attrs.frozen
class Answer:
    """What the rules say.

    Args:
        found: ids with scores, by source.
        dropped: reasons against each candidate, in order; empty for those that are ranked.
        inputs: features by id of what is ranked.
        ranked: ids with scores, by step, from the ranker on.
        judged: reasons against each post that was looked at before there were enough, in order.
        shown: ids, scores and warnings.
    """

    found: dict[str, Found]
    dropped: list[tuple[str, ...]]
    inputs: dict[int, dict[str, float]]
    ranked: Steps
    judged: list[tuple[str, ...]]
    shown: list[tuple[int, float, str]]


def answer(who: Who, model, views: Counter[int]) -> Answer:
    """For a viewer, given how often every post was shown to anybody."""
    found = {source.__name__: source(who) for source in SOURCES}
    every = [
        (name, rank, who.tables.posts[one], score)
        for name, ids in found.items()
        for rank, (one, score) in enumerate(ids)
    ]
    dropped = [reasons(who, post, name) for name, _, post, _ in every]
    slate = to_rank(who, [one for one, why in zip(every, dropped, strict=True) if not why])
    likes = likes_of_followed(who)
    inputs = {one.post.id: features(who, one, likes) for one in slate}
    slate = by_score([attrs.evolve(one, score=probability(model, inputs[one.post.id])) for one in slate])
    ranked = {"logistic_ranker": [(one.post.id, one.score) for one in slate]}
    slate, steps = adjusted(who, slate, views)
    judged, shown = taken(who, slate, who.of(params.RESULTS) if who.limit is None else who.limit)
    return Answer(found, dropped, inputs, ranked | steps, judged, shown)


def taken(
    who: Who, slate: list[Ranked], wanted: int
) -> tuple[list[tuple[str, ...]], list[tuple[int, float, str]]]:
    """Batch by batch, as many as it seems to take, until there are enough."""
    judged: list[tuple[str, ...]] = []
    size = who.of(params.BATCH)
    while len(judged) < len(slate):
        passed = sum(not why for why in judged)
        if judged and passed >= wanted:
            break
        expected = math.ceil((wanted - passed) * (len(judged) + 1) / (passed + 1))
        step = max(size, expected) if judged else size
        batch = slate[len(judged) : len(judged) + step]
        judged += [drops(who, one.post) if who.of(params.VISIBILITY) else () for one in batch]
    visible = [one for one, why in zip(slate, judged, strict=False) if not why]
    return judged, [(one.post.id, one.score, warning(who, one.post)) for one in visible[:wanted]]
