"""What each source finds, and in which order: ids of posts with scores, best first."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np

from products.for_you import params
from tests.products.twin.tables import HOUR_MS, Post, Who

Found = list[tuple[int, float]]
PER_AUTHOR, RECOMMENDED, RECOMMENDED_POSTS = 50, 100, 3
SEEDS, NEIGHBOURS, SIDE, CONNECTORS = 100, 200, 500, 1_000
TREND_H, BEFORE_H = 6, 24
FEW_FOLLOWERS, EXPLORING = 10, 0.05


def best(scores: dict[int, float], count: int) -> Found:
    """The highest scores above 0; of equal ones the smaller id."""
    ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    return [(one, score) for one, score in ranked if score > 0][:count]


def damping(degree: int) -> float:
    return 1 / float(np.log(2.0 + degree))


def is_young(who: Who, post: Post) -> bool:
    return 0 < who.age_h(post) <= who.of(params.MAX_AGE_H)


def in_network(who: Who) -> Found:
    posts: list[Post] = []
    for author in who.follows:
        known = [post for post in who.tables.posts_of[author] if post.created_ms < who.now_ms]
        posts += [post for post in known[-PER_AUTHOR:] if is_young(who, post)]
    posts.sort(key=who.age_h)
    return [(post.id, 1 / (1 + who.age_h(post))) for post in posts[: who.cap(params.IN_NETWORK_CAP)]]


def co_engagement(who: Who) -> Found:
    tables = who.tables
    alike: dict[int, float] = defaultdict(float)
    for seed in who.engaged[-SEEDS:]:
        engagers = tables.engagers[seed]
        for _, user in engagers[-SEEDS:]:
            alike[user] += damping(len(engagers))
    alike.pop(who.id, None)
    votes: dict[int, float] = defaultdict(float)
    for user, similarity in best(alike, NEIGHBOURS):
        acts = tables.engaged[user]
        for _, post in acts[-SEEDS:]:
            votes[post] += similarity / float(np.sqrt(len(acts)))
    wanted = {
        post: vote
        for post, vote in votes.items()
        if is_young(who, tables.posts[post]) and post not in who.engaged
    }
    return best(wanted, who.cap(params.CO_ENGAGEMENT_CAP))


def likes_of_followed(who: Who) -> Counter[int]:
    """How many whom the viewer follows engaged with each post lately."""
    return Counter(post for user in who.follows for _, post in who.tables.engaged[user][-SIDE:])


def liked_by_followed(who: Who) -> Found:
    wanted = {
        one: float(count)
        for one, count in likes_of_followed(who).items()
        if is_young(who, who.tables.posts[one])
        and not who.knows(who.tables.posts[one])
        and one not in who.engaged
    }
    return best(wanted, who.cap(params.LIKED_CAP))


def recommended_authors(who: Who) -> Found:
    tables = who.tables
    strangers: dict[int, float] = defaultdict(float)
    for connector in who.follows[-CONNECTORS:]:
        followed = tables.follows[connector]
        for other in followed[-SIDE:]:
            if other != who.id and other not in who.follows:
                strangers[other] += damping(len(followed))
    found: Found = []
    for place, (author, _) in enumerate(best(strangers, int(RECOMMENDED * who.quality))):
        originals = [
            post
            for post in reversed(tables.posts_of[author])
            if is_young(who, post) and post.reply_to == -1 and post.repost_of == -1
        ]
        found += [(post.id, 1 / (1 + place)) for post in originals[:RECOMMENDED_POSTS]]
    return found[: who.cap(params.AUTHORS_CAP)]


def trending_topic(who: Who) -> Found:
    tables = who.tables
    begin = who.now_ms - TREND_H * HOUR_MS
    recent = Counter(post for at, _, post in tables.engagements if at >= begin)
    earlier = [post for at, _, post in tables.engagements if begin - BEFORE_H * HOUR_MS <= at < begin]
    acts = Counter(tables.posts[post].topic for post in earlier)
    posts = Counter(tables.posts[post].topic for post in set(earlier))
    mine = {tables.posts[post].topic for post in who.engaged} - {-1}
    scores: dict[int, float] = {}
    for one, count in recent.items():
        topic = tables.posts[one].topic
        if is_young(who, tables.posts[one]) and topic != -1 and (topic in mine or not mine):
            usual = acts[topic] / max(posts[topic], 1) / BEFORE_H
            scores[one] = (count / TREND_H + 1) / (usual + 1)
    return best(scores, who.cap(params.TRENDING_CAP))


def popular(who: Who) -> Found:
    since = who.now_ms - int(who.of(params.WINDOW_H) * HOUR_MS)
    counts = Counter(post for at, _, post in who.tables.engagements if at >= since)
    young = {one: float(n) for one, n in counts.items() if is_young(who, who.tables.posts[one])}
    return best(young, who.cap(params.POPULAR_CAP))


def new_authors(who: Who) -> Found:
    """Draws as the source does, one number an author in order of id; the rest is the rule."""
    newest: dict[int, int] = {}
    for author, posts in sorted(who.tables.posts_of.items()):
        young = [post for post in posts if is_young(who, post)]
        if young and author != who.id and author not in who.follows:
            newest[author] = max(young, key=lambda post: (post.created_ms, -post.id)).id
    numbers = 1.0 - who.request.rng("new_authors").random(len(newest))
    drawn = dict(zip(newest, numbers.tolist(), strict=True))
    small = {one: draw for one, draw in drawn.items() if len(who.tables.followers[one]) <= FEW_FOLLOWERS}
    count = who.cap(params.EXPLORE_SLATE, EXPLORING)
    return [(newest[one], draw) for one, draw in best(small, count)]


def backfill(who: Who) -> Found:
    younger, oldest = who.of(params.MAX_AGE_H), who.of(params.BACKFILL_AGE_H)
    posts = [
        post
        for post in who.tables.posts.values()
        if younger < who.age_h(post) <= oldest and who.tables.engagers[post.id]
    ]
    posts.sort(key=lambda post: (-post.created_ms, post.id))
    return [(post.id, 1 / (1 + who.age_h(post))) for post in posts[: who.cap(params.BACKFILL_CAP)]]


SOURCES = (
    in_network,
    co_engagement,
    liked_by_followed,
    recommended_authors,
    trending_topic,
    popular,
    new_authors,
    backfill,
)
"""In the order in which their answers are joined."""
