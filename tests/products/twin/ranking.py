"""What is ranked, by which features, and what becomes of the scores, step by step.

Scores are kept in single precision, as columns keep them, so that what ties in one ties in the other.
"""

from __future__ import annotations

import math
import re
from collections import Counter

import attrs
import numpy as np

from components.datasets import Relation
from products.for_you import params
from tests.products.twin.tables import DAY_MS, Post, Who

SCORES = {
    "in_network": "in_network_score",
    "co_engagement": "co_engagement_score",
    "popular": "popular_score",
    "liked_by_followed": "liked_by_followed_score",
    "trending_topic": "trending_score",
}
LEARNED = ("simclusters_score", "twhin_score", "two_tower_score")
LIFTED_TO, EARLY, COMPARED = 15, 0.85, 200


def single(value: float) -> float:
    return float(np.float32(value))


@attrs.define
class Ranked:
    """A candidate: the post, its score and rank at each source that found it, the first first, and its score."""

    post: Post
    found: dict[str, tuple[float, int]]
    score: float = math.nan

    @property
    def source(self) -> str:
        return next(iter(self.found))

    @property
    def original(self) -> int:
        return self.post.id if self.post.repost_of == -1 else self.post.repost_of

    @property
    def refers(self) -> bool:
        return self.post.reply_to != -1 or self.post.repost_of != -1


Slate = list[Ranked]
Steps = dict[str, list[tuple[int, float]]]


def to_rank(who: Who, candidates: list[tuple[str, int, Post, float]]) -> Slate:
    """One of each post, and of each post and its reposts, as many as are ranked.

    Args:
        who: the viewer.
        candidates: source, rank there, post and score there, in the order of sources.
    """
    merged: dict[int, Ranked] = {}
    for source, rank, post, score in candidates:
        merged.setdefault(post.id, Ranked(post, {})).found[source] = (score, rank)
    originals: dict[int, Ranked] = {}
    for one in merged.values():
        originals.setdefault(one.original, one)
    slate, count = list(originals.values()), who.cap(params.RANK_CAP)
    if len(slate) > count:
        slate.sort(key=lambda one: one.found[one.source][1])
    return slate[:count]


def features(who: Who, one: Ranked, likes: Counter[int]) -> dict[str, float]:
    tables, post = who.tables, one.post
    engaged = [tables.posts[other] for other in who.engaged]
    topic = sum(other.topic == post.topic for other in engaged) / max(len(engaged), 1)
    return {
        "in_network": float(post.author in who.follows),
        "author_affinity": sum(other.author == post.author for other in engaged),
        "topic_affinity": single(topic) if post.topic != -1 else 0.0,
        "recent_engagements": tables.since(post.id, who.of(params.WINDOW_H)),
        "followed_engagers": likes[post.id],
        "author_followers": len(tables.followers[post.author]),
        "age_h": single(who.age_h(post)),
        "same_language": float(
            post.language != "" and any(other.language == post.language for other in engaged)
        ),
        "has_media": float(post.media > 0),
        "is_reply": float(post.reply_to != -1),
        **{column: single(one.found.get(source, (math.nan,))[0]) for source, column in SCORES.items()},
        **dict.fromkeys(LEARNED, math.nan),
    }


def probability(model, values: dict[str, float]) -> float:
    """Of an engagement, by the coefficients of a logistic model; what is unknown counts as average."""
    logit = model.intercept
    moments = zip(model.feature_names, model.coefficients, model.mean, model.scale, strict=True)
    for name, weight, mean, scale in moments:
        if not math.isnan(values[name]):
            logit += weight * (float(np.log1p(values[name])) - mean) / scale
    return single(1 / (1 + math.exp(-logit)))


def by_score(slate: Slate) -> Slate:
    return sorted(slate, key=lambda one: -one.score)


def times(slate: Slate, factor) -> Slate:
    """Scores multiplied, sorted."""
    return by_score([attrs.evolve(one, score=single(one.score * factor(one))) for one in slate])


def adjusted(who: Who, slate: Slate, views: Counter[int]) -> tuple[Slate, Steps]:
    """The slate after all adjustments, and ids and scores after each."""
    steps: Steps = {}
    for name, step in (
        ("wishes", wishes),
        ("feedback_fatigue", fatigue),
        ("cold_start_lift", lambda who, slate: lifted(who, slate, views)),
        ("author_diversity", diversity),
        ("network_discount", discount),
        ("one_of_each_stranger", one_of_each_stranger),
        ("one_of_each_conversation", one_of_each_conversation),
        ("without_ancestors", without_ancestors),
        ("one_of_each_story", one_of_each_story),
        ("network_quotas", quotas),
        ("sources_last", backfill_last),
    ):
        slate = step(who, slate)
        steps[name] = [(one.post.id, one.score) for one in slate]
    return slate, steps


def wishes(who: Who, slate: Slate) -> Slate:
    wanted, more, less = who.controls, who.of(params.BOOST_MORE), who.of(params.BOOST_LESS)

    def factor(one: Ranked) -> float:
        found = 1.0
        for value, chosen, times in (
            (one.post.author, wanted.more_authors, more),
            (one.post.author, wanted.less_authors, less),
            (one.post.topic, wanted.more_topics, more),
            (one.post.topic, wanted.less_topics, less),
        ):
            found *= times if value in chosen else 1.0
        return found * slider(who, one.post.author in who.follows)

    asked = wanted.more_authors | wanted.less_authors | wanted.more_topics | wanted.less_topics
    return times(slate, factor) if asked or wanted.discovery != 0.5 else slate


def slider(who: Who, followed: bool) -> float:
    """What the slider of discovery leaves of followed people, or of strangers."""
    return min(1.0, 2 - 2 * who.controls.discovery if followed else 2 * who.controls.discovery)


def fatigue(who: Who, slate: Slate) -> Slate:
    tired: dict[int, float] = {}
    for other, at in who.tables.decided[Relation.SHOW_LESS][who.id]:  # the latest request counts
        days = (who.now_ms - at) // DAY_MS
        tired[other] = 0.2 + (days - 14) / 35 * 0.2 if days < 154 else 1.0

    def factor(one: Ranked) -> float:
        likers = [tired.get(user, 1.0) for _, user in who.tables.engagers[one.post.id]]
        return tired.get(one.post.author, 1.0) * max(likers, default=1.0)

    return times(slate, factor)


def lifted(who: Who, slate: Slate, views: Counter[int]) -> Slate:
    slate = by_score(slate)
    early = EARLY * sum(one.score != 0 for one in slate)
    for place, one in enumerate(slate):
        small = len(who.tables.followers[one.post.author]) <= who.of(params.COLD_START_FOLLOWERS)
        unseen = views[one.post.id] < who.of(params.COLD_START_VIEWS)
        if small and unseen and place < early and not one.refers:
            if who.of(params.COLD_START) and len(slate) > LIFTED_TO:
                slate[place] = attrs.evolve(one, score=max(one.score, slate[LIFTED_TO].score))
            break
    return by_score(slate)


def diversity(who: Who, slate: Slate) -> Slate:
    floor, decay = who.of(params.FLOOR), who.of(params.DECAY)
    before: Counter[int] = Counter()
    factors: dict[int, float] = {}
    for one in by_score(slate):
        factors[one.post.id] = (1 - floor) * decay ** before[one.post.author] + floor
        before[one.post.author] += 1
    return times(by_score(slate), lambda one: factors[one.post.id])


def discount(who: Who, slate: Slate) -> Slate:
    factor = who.of(params.STRANGER_FACTOR)
    return times(slate, lambda one: factor if one.refers or one.post.author not in who.follows else 1.0)


def one_of_each_stranger(who: Who, slate: Slate) -> Slate:
    if not who.of(params.STRANGER_ONCE):
        return slate
    taken: dict[tuple[int, str], int] = {}
    for one in by_score(slate):
        if one.post.author not in who.follows:
            taken.setdefault((one.post.author, one.source), one.post.id)
    return [one for one in slate if one.post.author in who.follows or one.post.id in taken.values()]


def one_of_each_conversation(who: Who, slate: Slate) -> Slate:
    if not who.of(params.CONVERSATIONS):
        return slate

    def key(one: Ranked) -> int:
        answered = [other.reply_to for other in (one.post, *who.tables.above(one.post))]
        return min([other for other in answered if other != -1], default=one.post.id)

    bests: dict[int, Ranked] = {}
    for one in by_score(slate):
        bests.setdefault(key(one), one)
    return [bests[conversation] for conversation in dict.fromkeys(key(one) for one in slate)]


def without_ancestors(who: Who, slate: Slate) -> Slate:
    if not who.of(params.WITHOUT_ANCESTORS):
        return slate
    displayed = {other.id for one in slate for other in who.tables.above(one.post)}
    return [one for one in slate if one.post.id not in displayed]


def one_of_each_story(who: Who, slate: Slate) -> Slate:
    if not who.of(params.STORIES):
        return slate
    told: set[str] = set()
    kept: Slate = []
    for place, one in enumerate(slate):
        story = words_alone(one.post.text)
        if place >= COMPARED or not story or story not in told:
            kept.append(one)
        told.add(story)
    return kept


def words_alone(text: str) -> str:
    """Neither case, punctuation, links, mentions nor numbers."""
    without = re.sub(r"https?://\S+|(?<!\w)@\w+", " ", text.casefold())
    return " ".join(re.findall(r"[^\W\d_]+", without))


def quotas(who: Who, slate: Slate) -> Slate:
    left = {
        True: int(who.of(params.IN_QUOTA) * slider(who, followed=True)),
        False: int(who.of(params.OUT_QUOTA) * slider(who, followed=False)),
    }
    front, behind = [], []
    for one in slate:
        followed = one.post.author in who.follows
        if one.source == "backfill" or not who.of(params.QUOTAS):
            front.append(one)
        else:
            left[followed] -= 1
            (front if left[followed] >= 0 else behind).append(one)
    return front + behind


def backfill_last(who: Who, slate: Slate) -> Slate:
    return sorted(slate, key=lambda one: one.source == "backfill")
