"""How a timeline looks: as JSON, and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from components.stores.stores import Stores
from components.stores.types import Post
from mixer import RecommendationResult
from products._cli.answer import Row, in_words, people, provenance_rows
from products._cli.data import Loaded


def rows(loaded: Loaded, result: RecommendationResult[Any]) -> list[Row]:
    """A JSON object for each post."""
    origins = provenance_rows(result.candidates)
    return [
        _row(loaded.stores, post, origin) for post, origin in zip(result.candidates, origins, strict=True)
    ]


def _row(stores: Stores, post: Post, origin: Row) -> Row:
    return {
        "id": post.id,
        "score": post.score,
        **origin,
        "reason": reason(stores, post, origin["source"]),
        "author_id": post.author_id,
        "author": stores.called(post.author_row),
        "in_network": post.in_network,
        "age_h": round(post.age_h, 3),
        "text": post.text,
        "social_proof": list(post.social_proof or ()),
        "author_proof": list(post.author_proof or ()),
    }


def reason(stores: Stores, post: Post, source: str) -> str:
    """Why a post is shown, in words; the closest connection wins.

    Source: social context of 2023: liked by the followed before followed by them.
    """
    engaged = people(stores, post.social_proof, post.followed_engagers)
    follow = people(stores, post.author_proof, post.followed_by)
    if post.in_network:
        return f"you follow {stores.called(post.author_row)}"
    if engaged:
        return f"{engaged} you follow engaged with it"
    if follow:
        return f"followed by {follow} you follow"
    if source == "co_engagement":
        return "engaged people who engage with what you do"
    return f"popular: {post.recent_engagements:.0f} recent engagements"


def table(user: int, shown: Sequence[Row], title: str = "For You") -> Table:
    """The timeline for people."""
    view = Table(title=f"{title}, user {user}", title_justify="left", box=None, pad_edge=False, expand=True)
    view.add_column("#", justify="right", style="dim")
    view.add_column("id", justify="right", style="dim")
    view.add_column("post", ratio=3)
    view.add_column("author", no_wrap=True)
    view.add_column("age", justify="right", no_wrap=True)
    view.add_column("source", no_wrap=True)
    view.add_column("score", justify="right", no_wrap=True)
    view.add_column("why", ratio=2, style="italic")
    for place, row in enumerate(shown, start=1):
        score = f"{row['score']:.2g}"
        source = row["source"] + (f" +{len(row['sources']) - 1}" if len(row["sources"]) > 1 else "")
        cells = (row["text"], row["author"], in_words(row["age_h"]), source, score, row["reason"])
        view.add_row(str(place), str(row["id"]), *cells)
    return view
