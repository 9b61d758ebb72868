"""``Visibility``: judge posts by the rules, with everything that they quote, repost and answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np

from components.stores.stores import Stores
from components.stores.types import Post, Viewer
from components.visibility.rules import BASE, RECOMMENDATION, Outcome, Rule, Subjects
from mixer import CandidatePredicate, Candidates, Transform, Verdicts
from mixer.transforms import Trait

if TYPE_CHECKING:
    from numpy.typing import NDArray

INHERITED = ("quoted_post_dropped", "reposted_post_dropped", "ancestor_dropped")
"""Reasons against a post because of another."""


@attrs.frozen(eq=False)
class Visibility:
    """The rules over what the stores and labels say.

    What is in network, or reposted by somebody in network, is judged by the base rules; what is not, and whatever is
    quoted or answered, by those for recommendations too.

    Args:
        stores: posts, people, and what is wrong with them.
        rules: in order.
    """

    stores: Stores = attrs.field(repr=False)
    rules: Sequence[Rule] = attrs.field(default=(*BASE, *RECOMMENDATION), repr=False)

    def drops(self, viewer: Viewer, rows: NDArray[np.int64]) -> Verdicts:
        """One verdict a post; every rule that asks for a drop is a reason, in the order of the rules."""
        threads = self.stores.posts.threads
        followed = self._followed(viewer, rows)
        matched = dict(self._matches(viewer, rows, followed, Outcome.DROP))
        related = (
            (threads.quoted[rows], np.zeros(len(rows), dtype=np.bool_)),
            (threads.repeated[rows], followed),
            *((above, np.zeros(len(rows), dtype=np.bool_)) for above in threads.ancestors(rows).T),
        )
        bad = [self._dropped(viewer, other, base) for other, base in related]
        above = np.zeros(len(rows), dtype=np.bool_) if len(bad) < 3 else np.any(bad[2:], axis=0)
        return Verdicts.first_match({**matched, **dict(zip(INHERITED, (*bad[:2], above), strict=True))})

    def interstitials(self, viewer: Viewer, rows: NDArray[np.int64]) -> NDArray[np.object_]:
        """``(n,)`` name of the first rule that asks for a warning in front of a post, empty for none."""
        names = np.full(len(rows), "", dtype=object)
        if viewer.settings.sees_sensitive:
            return names
        for name, mask in self._matches(viewer, rows, self._followed(viewer, rows), Outcome.INTERSTITIAL):
            names[mask & (names == "")] = name
        return names

    def _followed(self, viewer: Viewer, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        authors = self.stores.posts.author[rows]
        return viewer.history.follow_mask[authors] | (authors == viewer.history.row)

    def _dropped(
        self, viewer: Viewer, rows: NDArray[np.int64], base_only: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Which related posts would be dropped; none at all where there is none (-1)."""
        dropped = np.zeros(len(rows), dtype=np.bool_)
        at = np.flatnonzero(rows >= 0)
        if len(at):
            for _, mask in self._matches(viewer, rows[at], base_only[at], Outcome.DROP):
                dropped[at] |= mask
        return dropped

    def _matches(
        self, viewer: Viewer, rows: NDArray[np.int64], base_only: NDArray[np.bool_], outcome: Outcome
    ) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        subjects = self._subjects(viewer, rows)
        for rule in self.rules:
            if rule.outcome is outcome:
                mask = rule.matches(viewer, subjects)
                yield rule.name, mask & ~base_only if rule.recommended_only else mask

    def _subjects(self, viewer: Viewer, rows: NDArray[np.int64]) -> Subjects:
        posts, labels = self.stores.posts, self.stores.labels
        author = posts.author[rows].astype(np.int64)
        nothing = np.zeros(len(rows), dtype=np.uint64)
        return Subjects(
            author,
            nothing if labels is None else labels.posts[rows],
            nothing if labels is None else labels.accounts[author],
            author == viewer.history.row,
            viewer.history.follow_mask[author],
            posts.threads.is_repost[rows],
            posts.number("media", 0)[rows] > 0,
            posts.number("subscribers_only", 0)[rows] > 0,
        )


@attrs.frozen
class Visible(CandidatePredicate[Viewer, Post]):
    """Keeps posts that no rule drops, with every rule that matched as a reason.

    Combine it with ``on_error(OnError.DROP)``: what could not be judged is not shown.
    """

    visibility: Visibility
    reads: ClassVar[Any] = (Post.row,)

    def check(self, viewer: Viewer, posts: Candidates[Post]) -> Verdicts:
        return self.visibility.drops(viewer, posts[Post.row])


@attrs.frozen
class Warn(Transform[Viewer, Post]):
    """Writes which warning belongs in front of each shown post."""

    visibility: Visibility
    traits = Trait.ANNOTATES

    def transform(self, viewer: Viewer, posts: Candidates[Post]) -> Candidates[Post]:
        warnings = self.visibility.interstitials(viewer, posts[Post.row])
        return posts.with_columns({Post.warning: warnings})
