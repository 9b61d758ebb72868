"""Which rules speak against a post that would be shown, and which warning stands in front of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.datasets import Relation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.products.twin.tables import Post, Who

ACCOUNTS = ("suspended", "deactivated", "erased", "offboarded")
POSTS = ("hateful_conduct", "violent_speech", "abuse", "civic_integrity")
RECOMMENDED = (
    ("post", "dmca"),
    ("post", "geo_restricted"),
    ("account", "nsfw_user"),
    ("account", "nsfw_admin"),
    ("post", "nsfw_user"),
    ("post", "nsfw_admin"),
    ("post", "nsfw_high_recall"),
    ("post", "nsfw_high_precision"),
    ("post", "gore"),
    ("post", "nsfw_card"),
    ("post", "do_not_amplify"),
    ("post", "malicious_url"),
    ("post", "spam_high_recall"),
    ("post", "nsfw_text"),
    ("post", "insults"),
    ("account", "nsfw_high_recall"),
    ("account", "nsfw_high_precision"),
    ("account", "spam_high_recall"),
    ("account", "compromised"),
    ("account", "read_only"),
    ("account", "impersonation"),
    ("account", "nsfw_avatar"),
    ("account", "nsfw_banner"),
    ("stranger", "abusive_high_recall"),
    ("account", "nsfw_near_perfect"),
    ("stranger", "do_not_amplify"),
)
NAMES = {"abusive_high_recall": "abusive"}


def drops(who: Who, post: Post) -> tuple[str, ...]:
    """Every reason not to show a post, its own before those of what it quotes, reposts and answers."""
    posts, known = who.tables.posts, who.knows(post)
    quoted, reposted = posts.get(post.quote_of), posts.get(post.repost_of)
    found = list(against(who, post, recommended=not known))
    if quoted is not None and any(against(who, quoted, recommended=True)):
        found.append("quoted_post_dropped")
    if reposted is not None and any(against(who, reposted, recommended=not known)):
        found.append("reposted_post_dropped")
    if any(any(against(who, one, recommended=True)) for one in who.tables.above(post)):
        found.append("ancestor_dropped")
    return tuple(found)


def against(who: Who, post: Post, *, recommended: bool) -> Iterator[str]:
    yield from base(who, post)
    if recommended:
        yield from recommendation(who, post)


def base(who: Who, post: Post) -> Iterator[str]:
    every = who.tables.post_labels[post.id]
    labels, accounts = (set(), set()) if post.author == who.id else (every, _of_account(who, post))
    repost, followed = post.repost_of != -1, post.author in who.follows
    checks = (
        *((f"{label}_author", label in accounts) for label in ACCOUNTS),
        ("protected_author", "protected" in accounts and not followed),
        ("viewer_blocks_author", post.author in who.about(Relation.BLOCK)),
        ("viewer_mutes_author", post.author in who.about(Relation.MUTE)),
        ("author_blocks_viewer", post.author in who.decided_by(Relation.BLOCK)),
        ("viewer_mutes_reposts", repost and post.author in who.about(Relation.MUTE_REPOSTS)),
        *((label, label in labels) for label in ("pdna", "bounce", "spam")),
        ("emergency_only", "emergency_only" in every),
        *((label, label in labels) for label in POSTS),
        ("nullcast", "nullcast" in labels and not repost),
        ("stale_edit", "stale_edit" in labels),
        ("post_takedown", "takedown" in labels),
        ("author_takedown", "takedown" in accounts),
        *((name, barred and "sensitive" in labels) for name, barred in _barred(who)),
        ("exclusive_content", _exclusive(who, post, every)),
    )
    return (name for name, applies in checks if applies)


def recommendation(who: Who, post: Post) -> Iterator[str]:
    if post.author != who.id:
        of = {"post": who.tables.post_labels[post.id], "account": _of_account(who, post)}
        of["stranger"] = set() if post.author in who.follows else of["account"]
        for kind, label in RECOMMENDED:
            if label in of[kind]:
                yield label if kind == "post" else f"{NAMES.get(label, label)}_author"


def warning(who: Who, post: Post) -> str:
    labels = set() if post.author == who.id else who.tables.post_labels[post.id]
    accounts = set() if post.author == who.id else _of_account(who, post)
    checks = (
        ("nsfw_interstitial", "nsfw_high_precision" in labels),
        ("gore_interstitial", "gore" in labels),
        ("nsfw_card_interstitial", "nsfw_card" in labels),
        ("nsfw_author_interstitial", "nsfw_media" in accounts and post.media > 0),
    )
    names = [name for name, applies in checks if applies]
    return names[0] if names and not who.settings.sees_sensitive else ""


def _of_account(who: Who, post: Post) -> set[str]:
    return who.tables.account_labels[post.author]


def _barred(who: Who) -> tuple[tuple[str, bool], ...]:
    told = who.settings
    return (
        ("sensitive_logged_out", not told.logged_in),
        ("sensitive_under_age", told.age is not None and told.age < 18),
        ("sensitive_no_age_stated", told.age_is_required and told.age is None),
    )


def _exclusive(who: Who, post: Post, labels: set[str]) -> bool:
    exclusive = bool(post.subscribers_only) or "exclusive" in labels
    allowed = post.author == who.id or post.author in who.about(Relation.SUBSCRIBED)
    return exclusive and not allowed
