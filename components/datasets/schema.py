"""The schema of a data set: which tables there are, and what their columns hold.

Times are milliseconds since 1970 in UTC (``_ms``), durations seconds (``_s``); ids are 64-bit integers, -1 meaning
none.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import attrs
import numpy as np


class Action(IntEnum):
    """What a viewer did with a post: the ten heads of the heavy ranker published in April 2023."""

    FAV = 0
    RETWEET = 1
    REPLY = 2
    GOOD_PROFILE_CLICK = 3
    VIDEO_PLAYBACK_50 = 4
    REPLY_ENGAGED_BY_AUTHOR = 5
    GOOD_CLICK = 6
    GOOD_CLICK_V2 = 7
    NEGATIVE_FEEDBACK_V2 = 8
    REPORT = 9


class Interaction(IntEnum):
    """What a user did towards another user, in data without posts."""

    RETWEET = 0
    MENTION = 1
    REPLY = 2


class Relation(IntEnum):
    """What a user decided about another user."""

    BLOCK = 0
    MUTE = 1
    DISMISSED = 2
    SUBSCRIBED = 3
    MUTE_REPOSTS = 4
    SHOW_LESS = 5
    SHOW_MORE = 6


MANDATORY = object()


@attrs.frozen
class Field:
    """One column: its dtype and meaning; without a default it is mandatory."""

    dtype: Any
    doc: str
    default: Any = MANDATORY


_ID = np.int64
SCHEMA: Mapping[str, Mapping[str, Field]] = {
    "users": {
        "user_id": Field(_ID, "unique"),
        "created_ms": Field(np.int64, "when the account was made; 0 if unknown", 0),
        "language": Field(object, "two-letter code, empty if unknown", ""),
        "name": Field(object, "what to call the user", ""),
    },
    "topics": {"topic_id": Field(_ID, "unique"), "name": Field(object, "in words")},
    "follows": {
        "follower_id": Field(_ID, "who follows"),
        "followee_id": Field(_ID, "who is followed"),
        "created_ms": Field(np.int64, "since when; 0 if it was never known to be absent", 0),
    },
    "posts": {
        "post_id": Field(_ID, "unique"),
        "author_id": Field(_ID, "a user"),
        "created_ms": Field(np.int64, "when it was posted"),
        "text": Field(object, "what it says", ""),
        "topic": Field(_ID, "main topic, -1 if none", -1),
        "entity_id": Field(_ID, "what it is about (an artist, a link), -1 if nothing", -1),
        "language": Field(object, "two-letter code, empty if unknown", ""),
        "media": Field(np.int8, "0 none, 1 image, 2 video", 0),
        "reply_to": Field(_ID, "the post it answers, -1 if none", -1),
        "repost_of": Field(_ID, "the post it repeats, -1 if none", -1),
        "quote_of": Field(_ID, "the post it quotes, -1 if none", -1),
        "video_ms": Field(np.int32, "how long its video is, 0 without one or if unknown", 0),
        "subscribers_only": Field(np.int8, "1 when only subscribers of the author may see it", 0),
    },
    "engagements": {
        "viewer_id": Field(_ID, "a user"),
        "post_id": Field(_ID, "a post"),
        "action": Field(np.int8, "an Action"),
        "time_ms": Field(np.int64, "when; never before the post"),
        "dwell_s": Field(np.float32, "seconds spent on it, NaN if unknown", np.nan),
    },
    "impressions": {
        "viewer_id": Field(_ID, "a user"),
        "post_id": Field(_ID, "a post"),
        "time_ms": Field(np.int64, "when it was shown"),
        "position": Field(np.int32, "0-based place in the slate"),
        "propensity": Field(np.float32, "probability with which it was shown there", np.nan),
    },
    "interactions": {
        "actor_id": Field(_ID, "who acts"),
        "subject_id": Field(_ID, "on whom"),
        "kind": Field(np.int8, "an Interaction"),
        "time_ms": Field(np.int64, "when"),
    },
    "relations": {
        "user_id": Field(_ID, "who decided"),
        "subject_id": Field(_ID, "about whom"),
        "kind": Field(np.int8, "a Relation"),
        "time_ms": Field(np.int64, "when; 0 if unknown", 0),
    },
    "labels": {
        "post_id": Field(_ID, "a post"),
        "label": Field(object, "nsfw, toxicity, ..."),
        "score": Field(np.float32, "strength in [0, 1]"),
    },
    "account_labels": {
        "user_id": Field(_ID, "a user"),
        "label": Field(object, "suspended, protected, nsfw_avatar, ..."),
    },
    "muted_words": {
        "user_id": Field(_ID, "who does not want to read it"),
        "words": Field(object, "a word, or words in a row"),
        "time_ms": Field(np.int64, "since when; 0 if unknown", 0),
    },
    "undated": {
        "user_id": Field(_ID, "a user"),
        "entity_id": Field(_ID, "what the user likes"),
        "weight": Field(np.float32, "how much; nobody knows since when"),
    },
}
"""Tables by name. ``undated`` holds preferences without a date: they may serve today's requests, and may never be
a label nor a feature of the past."""

EVENTS = ("engagements", "impressions", "interactions")
"""Tables of what happened at a moment."""

CLOCKS: Mapping[str, str] = {
    "posts": "created_ms",
    "follows": "created_ms",
    "relations": "time_ms",
    "muted_words": "time_ms",
    **dict.fromkeys(EVENTS, "time_ms"),
}
"""The column of each dated table that says since when a row is known. Users are known throughout."""
