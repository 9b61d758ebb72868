"""The home timeline: posts of For You, with people to follow among them, in pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np

from components.sources.backfill import Backfill
from components.stores.impressions import ImpressionStore
from components.stores.stores import Stores
from components.stores.types import Controls, Post, Refresh, Viewer
from components.transforms.quotas import shares
from mixer import CursorCodec, Direction, Predicate, SideEffect, Target
from mixer.concurrency import Failure, attempt
from mixer.pipeline import Branch, MixerPipeline, MixerResult
from mixer.predicates import predicate
from mixer.provenance import found_first_by
from mixer.selectors import (
    Debunch,
    DropMax,
    DropModuleTooFew,
    Entry,
    InsertAppend,
    InsertFixedPosition,
    Item,
    Module,
    Selection,
    Selector,
    TrimTail,
)
from products.follow_recs.flow import FollowRecs
from products.for_you import params
from products.for_you.flow import LOOK_UP_S, ForYou
from products.for_you.pages import NEWER, after, paging_of, since
from products.for_you.pill import pill_of
from products.for_you.prompts import Prompt, Prompts
from products.for_you.pushed import Pushed
from products.for_you.shown import CountNetworks, OfShownPosts, RememberPeople, is_prompt, shown_posts

PEOPLE_EVERY_S = 30 * 3_600.0
"""Source: who-to-follow is shown again after 30 hours."""
PEOPLE_WITHIN_S = 0.6
"""Source: what For You gives who-to-follow to answer."""
PEOPLE = 3
PROMPT_WITHIN_S = 0.5
"""Source: what For You gives prompts to answer."""


class Home(MixerPipeline[Viewer]):
    """A page: up to 35 posts, a prompt at the head, three people to follow at the sixth place, cursors up and down.

    A page is the best of a pool of posts, in which strangers do not stand in long runs while there are others: two in a
    row, more where the viewer would rather discover. What the pool holds beyond the page is not recorded as shown.
    People come once in 30 hours, on the first page, and only if there are at least two. A page of what is new ends in a
    gap if there is more of that; a client that polls learns how much is new and from whom, and nothing is remembered.
    The post of a notification that led here stands before everything else, and not again below.

    Args:
        posts: the timeline.
        people: the recommendations, if any.
        cursors: the codec of ``posts``.

    Source: home-mixer's For You pipeline: 35 entries of 120 scored posts, debunching by 2, who-to-follow at index 5, a
    prompt at index 0, then push-to-home at index 0.
    """

    label = "home"

    def __init__(self, posts: ForYou, people: FollowRecs | None, cursors: CursorCodec) -> None:
        self.posts, self.people, self.cursors = posts, people, cursors
        self.prompts = Prompts(posts.stores)
        self.pushed = Pushed(posts)
        self.shown_people = ImpressionStore(ttl_s=PEOPLE_EVERY_S)

    async def process(self, target: Viewer) -> MixerResult:
        controls, paging = await self._wishes(target), paging_of(self.cursors, target)
        asked = attrs.evolve(target, controls=controls, paging=paging)
        return await super().process(_in_the_dark(asked) if paging.refresh is Refresh.POLLING else asked)

    async def _wishes(self, viewer: Viewer) -> Controls:
        stored = self.posts.controls
        if stored is None:
            return viewer.controls
        found = await attempt(lambda: stored.of(viewer.user_id), viewer, LOOK_UP_S)
        return viewer.controls if isinstance(found, Failure) else found  # the posts' flow reports it

    def branches(self) -> Sequence[Branch[Viewer]]:
        found = [
            Branch(self.posts.map_target(_a_pool_of_posts)),
            Branch(self.prompts, gate=first_page, within_s=PROMPT_WITHIN_S),
            Branch(self.pushed, gate=came_by_notification),
        ]
        if self.people is not None:
            found.append(
                Branch(
                    self.people.map_target(_a_few_people),
                    gate=self._time_for_people(),
                    within_s=PEOPLE_WITHIN_S,
                    as_module=True,
                )
            )
        return found

    def _time_for_people(self) -> Predicate[Viewer]:
        @predicate(reason="people_shown_lately")
        def time_for_people(viewer: Viewer) -> bool:
            lately = self.shown_people.shown(viewer.user_id, viewer.request.now_ms)
            return viewer.request.cursor is None and not len(lately)

        return time_for_people

    def selectors(self) -> Sequence[Selector[Viewer]]:
        posts = self.posts.name
        chosen: list[Selector[Viewer]] = [
            Debunch(posts, _by_stranger, _longest_run, TrimTail(_asks_for_newer)),
            DropMax(posts, lambda viewer: max(1, _page_of(viewer))),
            InsertAppend(posts),
            InsertFixedPosition(self.prompts.name, 0),
        ]
        if self.people is not None:
            chosen += [InsertFixedPosition(self.people.name, 5), DropModuleTooFew(self.people.name, 2)]
        return [*chosen, InsertFixedPosition(self.pushed.name, 0)]

    def marshal(self, target: Viewer, selection: Selection) -> dict[str, Any]:
        """Entries as plain values, cursors, and the pill; who polls is only told how many posts are new."""
        posts = shown_posts(selection.slate, self.posts.name)
        pill = pill_of(target, posts, self.posts.stores)
        if pill is not None:
            self.stats.scope(self.name).counter("pills").incr()
        polling = target.paging.refresh is Refresh.POLLING
        rest = None if posts is None or polling else after(self.cursors, target, posts)
        newer = target.paging.direction in NEWER
        left = any(one.reason == "over_maximum" for one in selection.dropped)
        return {
            "entries": [] if polling else [self._entry(entry) for entry in selection.slate],
            "new": 0 if posts is None or not newer else len(posts),
            "pill": pill,
            "top": (polling and target.request.cursor) or since(self.cursors, target),
            "gap": rest if newer and left else None,
            "bottom": None if newer else rest,
        }

    def _entry(self, entry: Entry) -> dict[str, Any]:
        if isinstance(entry, Module):
            people = [one.id for one in entry.family() if isinstance(one, Item)]
            return {"kind": "people", "ids": people}
        assert isinstance(entry, Item)  # noqa: S101 - pools hold items and modules
        if is_prompt(entry):
            return {"kind": "prompt", "about": entry.value(Prompt.kind), "text": entry.value(Prompt.text)}
        row = entry.value(Post.row)
        above = conversation_above(self.posts.stores, 0 if row is None else int(row))
        shown = {"kind": "post", "id": entry.id, "conversation": above, "warning": entry.value(Post.warning)}
        if entry.flow == self.pushed.name:
            shown["pushed_by"] = entry.value(Post.social_proof)
        return shown

    def side_effects(self) -> Sequence[SideEffect[Viewer, Any]]:
        posts = (OfShownPosts(self.posts.name, one) for one in self.posts.side_effects())
        return (
            RememberPeople(self.shown_people),
            CountNetworks(self.posts.name, self.stats.scope(self.name, "slate")),
            *posts,
        )


def conversation_above(stores: Stores, row: int) -> list[int]:
    """Ids of the root and of the post that is answered: what a reply is displayed with. Source: 2 or 3 posts."""
    above = [at for at in stores.posts.threads.ancestors(np.array([row]))[0].tolist() if at >= 0]
    chosen = dict.fromkeys([above[-1], above[0]] if above else [])
    return [int(stores.posts.index.ids[at]) for at in chosen]


@predicate(reason="not_the_first_page")
def first_page(viewer: Viewer) -> bool:
    """Does the viewer open the timeline, rather than go on?"""
    return viewer.request.cursor is None


@predicate(reason="no_notification")
def came_by_notification(viewer: Viewer) -> bool:
    """Did a notification lead to this page, whose post is to be shown?"""
    return viewer.paging.pushed is not None


def _asks_for_newer(viewer: Target) -> bool:
    return isinstance(viewer, Viewer) and viewer.paging.direction is Direction.TOP


def _in_the_dark(viewer: Viewer) -> Viewer:
    """The same request, of which nothing is remembered."""
    debug = attrs.evolve(viewer.request.debug, skip_side_effects=True)
    return attrs.evolve(viewer, request=attrs.evolve(viewer.request, debug=debug))


def _by_stranger(entry: Entry) -> bool:
    return not entry.value(Post.in_network) or _found_late(entry)


def _found_late(entry: Entry) -> bool:
    """Older posts fill a page that would be short; they are not pulled forward, whoever wrote them."""
    assert isinstance(entry, Item)  # noqa: S101 - the posts' flow enters the pool one by one
    return bool(found_first_by(entry.candidates.slice(entry.row, entry.row + 1), (Backfill.label,))[0])


def _longest_run(viewer: Viewer) -> int:
    """Strangers in a row; as many as come where nobody else is wanted."""
    followed, _ = shares(viewer.controls)
    return int(viewer.request.params[params.RUN] / max(followed, 1e-9))


def _page_of(viewer: Viewer) -> int:
    return viewer.request.params[params.PAGE] if viewer.limit is None else viewer.limit


def _a_pool_of_posts(viewer: Viewer) -> Viewer:
    """Asks for more than a page holds, and leaves it to the page to remember what it shows."""
    wanted = _page_of(viewer)
    pool = max(wanted, viewer.request.params[params.POOL]) if wanted else 0
    return attrs.evolve(_in_the_dark(viewer), limit=pool)


def _a_few_people(viewer: Viewer) -> Viewer:
    return attrs.evolve(viewer, limit=PEOPLE)
