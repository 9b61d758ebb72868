"""The home timeline: posts of For You, with people to follow among them, in pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np

from components.stores.impressions import ImpressionStore
from components.stores.stores import Stores
from components.stores.types import Post, Viewer
from mixer import CursorCodec, Predicate, SideEffect, Target
from mixer.pipeline import Branch, MixerPipeline
from mixer.predicates import predicate
from mixer.selectors import (
    Debunch,
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
from products.for_you.flow import ForYou
from products.for_you.pages import after, paging_of, since
from products.for_you.prompts import Prompt, Prompts

PEOPLE_EVERY_S = 30 * 3_600.0
"""Source: who-to-follow is shown again after 30 hours."""
PEOPLE_WITHIN_S = 0.6
"""Source: what For You gives who-to-follow to answer."""
PEOPLE = 3
PROMPT_WITHIN_S = 0.5
"""Source: what For You gives prompts to answer."""


class Home(MixerPipeline[Viewer]):
    """A page: up to 35 posts, a prompt at the head, three people to follow at the sixth place, cursors up and down.

    No more than two posts by strangers stand in a row while there are others. People come once in 30 hours, on the
    first page, and only if there are at least two.

    Args:
        posts: the timeline.
        people: the recommendations, if any.
        cursors: the codec of ``posts``.

    Source: home-mixer's For You pipeline: 35 entries, debunching by 2, who-to-follow at index 5, a prompt at index 0.
    """

    label = "home"

    def __init__(self, posts: ForYou, people: FollowRecs | None, cursors: CursorCodec) -> None:
        self.posts, self.people, self.cursors = posts, people, cursors
        self.prompts = Prompts(posts.stores)
        self.shown_people = ImpressionStore(ttl_s=PEOPLE_EVERY_S)

    def branches(self) -> Sequence[Branch[Viewer]]:
        found = [
            Branch(self.posts.map_target(_a_page_of_posts)),
            Branch(self.prompts, gate=first_page, within_s=PROMPT_WITHIN_S),
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
            Debunch(posts, _by_stranger, 2, TrimTail(self._asks_for_newer)),
            InsertAppend(posts),
            InsertFixedPosition(self.prompts.name, 0),
        ]
        if self.people is not None:
            chosen += [InsertFixedPosition(self.people.name, 5), DropModuleTooFew(self.people.name, 2)]
        return chosen

    def _asks_for_newer(self, viewer: Target) -> bool:
        return paging_of(self.cursors, viewer.request.cursor).newer_than_ms > 0

    def marshal(self, target: Viewer, selection: Selection) -> dict[str, Any]:
        """Entries as plain values, and cursors."""
        viewer = attrs.evolve(target, paging=paging_of(self.cursors, target.request.cursor))
        posts = [one for one in selection.slate if isinstance(one, Item) and not is_prompt(one)]
        bottom = None
        if posts:
            rows = np.array([item.row for item in posts])
            bottom = after(self.cursors, viewer, posts[0].candidates.pick(rows))
        return {
            "entries": [self._entry(entry) for entry in selection.slate],
            "top": since(self.cursors, viewer),
            "bottom": bottom,
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
        return {"kind": "post", "id": entry.id, "conversation": above, "warning": entry.value(Post.warning)}

    def side_effects(self) -> Sequence[SideEffect[Viewer, Any]]:
        return (RememberPeople(self.shown_people),)


@attrs.frozen
class RememberPeople(SideEffect[Viewer, Any]):
    """Remembers which people a page showed, and that it showed any."""

    shown: ImpressionStore

    def apply(self, viewer: Viewer, result: Any) -> None:
        modules = [entry for entry in result.slate if isinstance(entry, Module)]
        ids = [one.id for module in modules for one in module.family() if isinstance(one, Item)]
        if ids:
            self.shown.record(viewer.user_id, ids, viewer.request.now_ms)


def conversation_above(stores: Stores, row: int) -> list[int]:
    """Ids of the root and of the post that is answered: what a reply is displayed with. Source: 2 or 3 posts."""
    above = [at for at in stores.posts.threads.ancestors(np.array([row]))[0].tolist() if at >= 0]
    chosen = dict.fromkeys([above[-1], above[0]] if above else [])
    return [int(stores.posts.index.ids[at]) for at in chosen]


@predicate(reason="not_the_first_page")
def first_page(viewer: Viewer) -> bool:
    """Does the viewer open the timeline, rather than go on?"""
    return viewer.request.cursor is None


def is_prompt(item: Item) -> bool:
    """Prompts and posts stand on one page."""
    return issubclass(item.candidates.kind, Prompt)


def _by_stranger(entry: Entry) -> bool:
    return not entry.value(Post.in_network)


def _a_page_of_posts(viewer: Viewer) -> Viewer:
    wanted = viewer.request.params[params.PAGE] if viewer.limit is None else viewer.limit
    return attrs.evolve(viewer, limit=wanted)


def _a_few_people(viewer: Viewer) -> Viewer:
    return attrs.evolve(viewer, limit=PEOPLE)
