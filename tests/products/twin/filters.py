"""Why a candidate is left out before ranking: the reasons of the first filter that has any."""

from __future__ import annotations

import re

from components.datasets import Relation
from products.for_you import params
from tests.products.twin.tables import DAY_MS, Post, Who

AUTOMATIC_MS, VIDEO = 60_000, 2


def reasons(who: Who, post: Post, source: str) -> tuple[str, ...]:
    """Why a candidate of a source goes; empty for one that is ranked."""
    found = matched(age(who, post, source))
    for switch, rule in FILTERS:
        if not found and (switch is None or who.of(params.FILTERS[switch])):
            found = matched(rule(who, post))
    return found


def matched(rules: dict[str, bool]) -> tuple[str, ...]:
    return tuple(reason for reason, applies in rules.items() if applies)


def age(who: Who, post: Post, source: str) -> dict[str, bool]:
    limit = who.of(params.BACKFILL_AGE_H if source == "backfill" else params.MAX_AGE_H)
    return {"too_old": not 0 <= who.age_h(post) <= limit}


def own(who: Who, post: Post) -> dict[str, bool]:
    reposted = who.tables.posts.get(post.repost_of)
    return {
        "own_post": post.author == who.id,
        "repost_of_own_post": reposted is not None and reposted.author == who.id,
    }


def replies(who: Who, post: Post) -> dict[str, bool]:
    stranger, reply = not who.knows(post), post.reply_to != -1
    return {
        "reply_by_stranger": stranger and reply,
        "repost_by_stranger": stranger and post.repost_of != -1,
        "reply_to_nothing": reply and post.reply_to not in who.tables.posts,
    }


def for_subscribers(who: Who, post: Post) -> dict[str, bool]:
    allowed = post.author == who.id or post.author in who.about(Relation.SUBSCRIBED)
    return {"for_subscribers_only": bool(post.subscribers_only) and not allowed}


def seen(who: Who, post: Post) -> dict[str, bool]:
    return {"already_seen": bool(who.seen & {post.id, post.reply_to, post.repost_of})}


def served(who: Who, post: Post) -> dict[str, bool]:
    return {"already_served": bool(who.served & {post.id, post.reply_to, post.repost_of})}


def muted_words(who: Who, post: Post) -> dict[str, bool]:
    posts = who.tables.posts
    displayed = [post, posts.get(post.quote_of), posts.get(post.repost_of), *who.tables.above(post)[:8]]
    phrases = [*who.tables.muted[who.id], *who.controls.muted_words]
    texts = [one.text for one in displayed if one is not None]
    return {"muted_words": any(says(text, phrase) for text in texts for phrase in phrases)}


def says(text: str, phrase: str) -> bool:
    """The words of a phrase stand in a row in a text; the first may be a hashtag there."""
    words, wanted = words_of(text), words_of(phrase)
    for start in range(len(words)):
        part = words[start : start + len(wanted)]
        if part and (part == wanted or [part[0].removeprefix("#"), *part[1:]] == wanted):
            return True
    return False


def words_of(text: str) -> list[str]:
    return re.findall(r"[#@]?\w+(?:'\w+)*", text.casefold())


def people(who: Who, post: Post) -> dict[str, bool]:
    avoided = who.about(Relation.BLOCK) | who.about(Relation.MUTE)
    blocking = who.decided_by(Relation.BLOCK)
    quoted, reposted = (who.tables.posts.get(one) for one in (post.quote_of, post.repost_of))
    return {
        "viewer_avoids_author": post.author in avoided,
        "author_blocks_viewer": post.author in blocking,
        "quoted_author_avoided": quoted is not None and quoted.author in avoided | blocking,
        "reposted_author_avoided": reposted is not None and reposted.author in avoided | blocking,
        "reposts_of_author_muted": post.repost_of != -1 and post.author in who.about(Relation.MUTE_REPOSTS),
    }


def automatic(who: Who, post: Post) -> dict[str, bool]:
    """No accounts are listed as support; what remains is what nobody typed."""
    answered = who.tables.posts.get(post.reply_to)
    quick = answered is not None and post.created_ms - answered.created_ms < AUTOMATIC_MS
    return {"automatic_reply": quick and who.knows(post) and post.repost_of == -1}


def conversation(who: Who, post: Post) -> dict[str, bool]:
    top = [post, *who.tables.above(post)][-1]
    return {"conversation_without_root": top.reply_to != -1}


def fatigue(who: Who, post: Post) -> dict[str, bool]:
    since = who.now_ms - who.of(params.FATIGUE_DAYS) * DAY_MS
    asked = who.tables.decided[Relation.SHOW_LESS][who.id]
    return {"asked_to_see_less": any(other == post.author and at > since for other, at in asked)}


def engaged(who: Who, post: Post) -> dict[str, bool]:
    return {"already_engaged": post.id in who.engaged}


def videos(who: Who, post: Post) -> dict[str, bool]:
    return {"video_not_wanted": post.media == VIDEO and not who.controls.videos}


def topics(who: Who, post: Post) -> dict[str, bool]:
    wanted = who.controls.topics
    return {
        "topic_not_asked_for": bool(wanted) and post.topic not in wanted,
        "topic_excluded": post.topic in who.controls.excluded_topics,
    }


FILTERS = (
    ("own", own),
    ("replies", replies),
    ("subscribers", for_subscribers),
    ("seen", seen),
    ("served", served),
    ("muted_words", muted_words),
    ("people", people),
    ("support", automatic),
    ("conversations", conversation),
    ("fatigue", fatigue),
    ("engaged", engaged),
    (None, videos),
    (None, topics),
)
"""Rules in order, after that on age, with the names of their switches."""
