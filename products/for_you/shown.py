"""What a page of the home timeline showed, and what is done with it afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np

from components.stores.impressions import ImpressionStore
from components.stores.types import Post, Viewer
from mixer import Candidates, SideEffect, StatsReceiver
from mixer.component import MaybeAwaitable, Wrapper
from mixer.selectors import Entry, Item, Module
from products.for_you.prompts import Prompt


def is_prompt(item: Item) -> bool:
    """Prompts and posts stand on one page."""
    return issubclass(item.candidates.kind, Prompt)


def shown_posts(slate: Sequence[Entry], flow: str) -> Candidates[Post] | None:
    """The posts of a page that come from this flow, in order; None if there are none."""
    items = [one for one in slate if isinstance(one, Item) and one.flow == flow]
    return items[0].candidates.pick(np.array([item.row for item in items])) if items else None


@attrs.frozen
class OfShownPosts(Wrapper, SideEffect[Viewer, Any]):
    """A side effect of the posts' flow, for the posts that a page shows."""

    flow: str
    inner: SideEffect[Viewer, Post]

    def apply(self, viewer: Viewer, result: Any) -> MaybeAwaitable[None]:
        shown = shown_posts(result.slate, self.flow)
        if shown is not None:
            return self.inner.apply(viewer, attrs.evolve(result.results[self.flow], candidates=shown))
        return None


@attrs.frozen
class CountNetworks(SideEffect[Viewer, Any]):
    """Counts what pages show of followed people and of strangers."""

    flow: str
    stats: StatsReceiver

    def apply(self, viewer: Viewer, result: Any) -> None:
        posts = shown_posts(result.slate, self.flow)
        if posts is not None:
            inside = int(posts[Post.in_network].sum())
            self.stats.counter("in_network").incr(inside)
            self.stats.counter("out_of_network").incr(len(posts) - inside)


@attrs.frozen
class RememberPeople(SideEffect[Viewer, Any]):
    """Remembers which people a page showed, and that it showed any."""

    shown: ImpressionStore

    def apply(self, viewer: Viewer, result: Any) -> None:
        modules = [entry for entry in result.slate if isinstance(entry, Module)]
        ids = [one.id for module in modules for one in module.family() if isinstance(one, Item)]
        if ids:
            self.shown.record(viewer.user_id, ids, viewer.request.now_ms)
