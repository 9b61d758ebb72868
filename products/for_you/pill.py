"""The pill: who posted something new, above a timeline that the viewer is reading."""

from __future__ import annotations

from typing import Any

from components.stores.stores import Stores
from components.stores.types import Post, Refresh, Viewer
from mixer import Candidates, Direction
from products.for_you import params

AVATARS = 3
AT_ONCE = (Refresh.MANUAL, Refresh.OWN_POST)


def pill_of(viewer: Viewer, posts: Candidates[Post] | None, stores: Stores) -> dict[str, Any] | None:
    """Ids of the first three authors of new posts, and after how many seconds to show them; None for no pill.

    Only who follows a top cursor gets one, and not who pulled the timeline down. Of a repost the author of the original
    counts; the viewer never does.

    Source: x-algorithm 2026: three distinct authors or nothing, four minutes, at once after a manual refresh or an own
    post.
    """
    asked = viewer.paging.direction is Direction.TOP and viewer.paging.refresh is not Refresh.PULLED
    if posts is None or not asked or not viewer.request.params[params.PILL]:
        return None
    authors = dict.fromkeys(_authors(posts, stores))
    authors.pop(viewer.user_id, None)
    if len(authors) < AVATARS:
        return None
    at_once = viewer.paging.refresh in AT_ONCE
    after_s = 0.0 if at_once else viewer.request.params[params.PILL_AFTER_S]
    return {"authors": list(authors)[:AVATARS], "after_s": after_s}


def _authors(posts: Candidates[Post], stores: Stores) -> list[int]:
    """Ids of who wrote each, or what it reposts if that is here."""
    store, rows = stores.posts, posts[Post.row]
    reposted = store.threads.repeated[rows]
    known = (reposted >= 0) | ~store.threads.is_repost[rows]
    originals = store.author[rows].copy()
    originals[reposted >= 0] = store.author[reposted[reposted >= 0]]
    return stores.users.ids[originals[known]].tolist()
