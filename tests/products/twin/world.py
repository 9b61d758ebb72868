"""The tiny world with more of what rules are about: decisions, labels, muted words, broken threads, told stories."""

from __future__ import annotations

import attrs
import numpy as np

from components.datasets import Action, Dataset, Relation, Table
from components.stores.labels import AccountLabel, PostLabel

DAY_MS = 86_400_000
NEW = range(201, 209)
"""Users who just came: half of them follow nobody, none did anything yet."""


def eventful(data: Dataset, seed: int = 0) -> Dataset:
    """The same people and posts, and much that happens among them."""
    rng = np.random.default_rng(seed)
    tables = {
        **data.tables,
        "posts": _posts(data, rng),
        "engagements": _engagements(data, rng),
        "relations": _relations(data, rng),
        "labels": _labels(data, rng),
        "account_labels": _account_labels(rng),
        "muted_words": _muted_words(rng),
        "users": _joined(
            data.users,
            {
                "user_id": list(NEW),
                "created_ms": [data.now_ms - 60_000] * len(NEW),
                "language": [""] * len(NEW),
                "name": [f"user {one}" for one in NEW],
            },
        ),
        "follows": _joined(
            data.follows,
            {
                "follower_id": [one for one in NEW if one % 2 for _ in range(5)],
                "followee_id": np.concatenate([rng.choice(200, 5, replace=False) + 1 for _ in NEW[::2]]),
                "created_ms": [data.now_ms - 6 * DAY_MS] * 5 * len(NEW[::2]),
            },
        ),
    }
    return attrs.evolve(data, tables=tables)


def _joined(table, columns):
    return Table({name: np.concatenate([table[name], np.asarray(columns[name])]) for name in columns})


def _some(labels, count, rng):
    return rng.choice([one.value for one in labels], count).astype(object)


def _posts(data, rng):
    posts, count = data.posts, len(data.posts)
    reply_to, created = posts["reply_to"].copy(), posts["created_ms"].copy()
    text, topic = posts["text"].astype(object), posts["topic"].copy()
    replies = np.flatnonzero(reply_to >= 0)
    answered = np.flatnonzero(np.isin(posts["post_id"], reply_to) & (reply_to >= 0))
    lost = np.concatenate([rng.choice(replies, 8, replace=False), answered[::3]])
    reply_to[lost] = 10**9 + 1  # answers nothing that is here
    for one in rng.choice(replies, 40, replace=False).tolist():  # answered at once
        if one not in lost:
            created[one] = created[reply_to[one] // 10 - 1] + int(rng.integers(1_000, 100_000))
    for one in rng.choice(count, 200, replace=False).tolist():  # told before, in other words
        text[one] = _retold(str(text[rng.integers(count)]), one)
    topic[rng.choice(count, 60, replace=False)] = -1
    quoted = np.isin(posts["post_id"], posts["quote_of"])
    exclusive = (rng.random(count) < np.where(quoted, 0.4, 0.05)).astype(np.int8)
    return posts.with_columns(
        reply_to=reply_to, created_ms=created, text=text, topic=topic, subscribers_only=exclusive
    )


def _retold(text, number):
    """Louder, with a link or with somebody's name: the same story."""
    first, *rest = text.split(" ")
    ways = (
        f"{text.upper()}!! https://example.com/{number}",
        f"{first} https://example.com/{number} {' '.join(rest)}",
        f"{text} @user{number}",
        f"{number}: {first}, @user{number} {' '.join(rest)}",
    )
    return ways[number % len(ways)]


def _engagements(data, rng):
    """A third of what was shown was liked, too; one in ten of that was not."""
    shown = data["impressions"]
    rows = np.flatnonzero(rng.random(len(shown)) < 0.35)
    actions = np.where(rng.random(len(rows)) < 0.1, int(Action.REPORT), int(Action.FAV)).astype(np.int8)
    columns = {
        "viewer_id": shown["viewer_id"][rows],
        "post_id": shown["post_id"][rows],
        "action": actions,
        "time_ms": shown["time_ms"][rows] + 1_000,
    }
    return _joined(data.engagements, columns)


def _relations(data, rng):
    """Decisions about people whom the deciders follow, and about others, over half a year."""
    follows, count = data.follows, 500
    chosen = rng.choice(len(follows), count)
    others = rng.integers(1, 201, (2, count))
    kinds = rng.choice([0, 1, 3, 4, 5], 2 * count, p=[0.1, 0.1, 0.2, 0.2, 0.4])
    columns = {
        "user_id": np.concatenate([follows["follower_id"][chosen], others[0]]),
        "subject_id": np.concatenate([follows["followee_id"][chosen], others[1]]),
        "kind": kinds.astype(np.int8),
        "time_ms": data.now_ms - (rng.random(2 * count) * 170 * DAY_MS).astype(np.int64),
    }
    assert set(kinds.tolist()) <= {int(one) for one in Relation}
    return _joined(data.relations, columns)


def _labels(data, rng):
    """On some of everything, and on much of what is quoted, or reposts something."""
    posts = data.posts
    some = rng.choice(posts["post_id"], 400, replace=False)
    quoted = posts["quote_of"][(posts["quote_of"] >= 0) & (rng.random(len(posts)) < 0.5)]
    reposts = posts["post_id"][(posts["repost_of"] >= 0) & (rng.random(len(posts)) < 0.5)]
    names = [
        *_some(PostLabel, len(some), rng),
        *["emergency_only"] * len(quoted),
        *["nullcast"] * len(reposts),
    ]
    scores = [*rng.uniform(0.7, 1.0, len(some)), *[1.0] * (len(quoted) + len(reposts))]
    columns = {
        "post_id": np.concatenate([some, quoted, reposts]),
        "label": np.array(names, dtype=object),
        "score": np.array(scores, dtype=np.float32),
    }
    return _joined(data["labels"], columns)


def _account_labels(rng):
    """Of any kind, and more of those that followers do not mind."""
    spared = [AccountLabel.PROTECTED, AccountLabel.ABUSIVE_HIGH_RECALL, AccountLabel.DO_NOT_AMPLIFY]
    labels = np.concatenate([_some(AccountLabel, 24, rng), _some(spared, 24, rng)])
    return Table({"user_id": rng.choice(200, 48, replace=False) + 1, "label": labels})


def _muted_words(rng):
    words = np.array(["roses", "The North Face", "unpopular opinion", "weekend", "finally"], dtype=object)
    return Table(
        {
            "user_id": rng.choice(200, 60, replace=False) + 1,
            "words": rng.choice(words, 60),
            "time_ms": np.zeros(60, dtype=np.int64),
        }
    )
