"""The rules, in the order in which they are tried.

Source: For You 2026, ``visibility-filtering/rules``: 28 rules for everything, then 26 only for what is recommended.
An author sees the own posts whatever their labels, but for ``emergency_only``. Viewers who allow sensitive media are
spared interstitials, never drops. What upstream knows from services, we know from labels.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING

import attrs
import numpy as np

from components.stores.labels import AccountLabel, PostLabel, bit_of
from components.stores.stores import History
from components.stores.types import Viewer

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Outcome(Enum):
    """What a rule that matches asks for."""

    DROP = "drop"
    INTERSTITIAL = "interstitial"


@attrs.frozen(eq=False)
class Subjects:
    """Posts under judgement.

    Shapes ``(n,)``: ``author`` rows, ``labels`` and ``author_labels`` bits, and flags.
    """

    author: NDArray[np.int64]
    labels: NDArray[np.uint64]
    author_labels: NDArray[np.uint64]
    own: NDArray[np.bool_]
    followed: NDArray[np.bool_]
    repost: NDArray[np.bool_]
    has_media: NDArray[np.bool_]
    subscribers_only: NDArray[np.bool_]


Test = Callable[[Viewer, Subjects], "NDArray[np.bool_]"]


@attrs.frozen
class Rule:
    """One reason not to show a post.

    Args:
        name: in stats and explanations.
        matches: which posts it speaks about.
        outcome: what it asks for.
        recommended_only: for posts by people whom the viewer does not follow.
    """

    name: str
    matches: Test = attrs.field(repr=False)
    outcome: Outcome = Outcome.DROP
    recommended_only: bool = False


def _post(label: PostLabel, *, spare_author: bool = True) -> Test:
    bit = bit_of(label)

    def test(viewer: Viewer, posts: Subjects) -> NDArray[np.bool_]:
        found = (posts.labels & bit) != 0
        return found & ~posts.own if spare_author else found

    return test


def _author(label: AccountLabel, *, spare_followers: bool = False) -> Test:
    bit = bit_of(label)

    def test(viewer: Viewer, posts: Subjects) -> NDArray[np.bool_]:
        found = ((posts.author_labels & bit) != 0) & ~posts.own
        return found & ~posts.followed if spare_followers else found

    return test


def _relation(mask: Callable[[History], NDArray[np.bool_]], *, reposts_only: bool = False) -> Test:
    def test(viewer: Viewer, posts: Subjects) -> NDArray[np.bool_]:
        found = mask(viewer.history)[posts.author]
        return found & posts.repost if reposts_only else found

    return test


def _sensitive_for(barred: Callable[[Viewer], bool]) -> Test:
    sensitive = _post(PostLabel.SENSITIVE)

    def test(viewer: Viewer, posts: Subjects) -> NDArray[np.bool_]:
        return sensitive(viewer, posts) if barred(viewer) else np.zeros(len(posts.author), dtype=np.bool_)

    return test


def _protected(viewer: Viewer, posts: Subjects) -> NDArray[np.bool_]:
    return _author(AccountLabel.PROTECTED, spare_followers=True)(viewer, posts)


def _exclusive(viewer: Viewer, posts: Subjects) -> NDArray[np.bool_]:
    subscribed = viewer.history.subscribed_mask[posts.author]
    exclusive = posts.subscribers_only | ((posts.labels & bit_of(PostLabel.EXCLUSIVE)) != 0)
    return exclusive & ~subscribed & ~posts.own


def _nsfw_author_with_media(viewer: Viewer, posts: Subjects) -> NDArray[np.bool_]:
    return _author(AccountLabel.NSFW_MEDIA)(viewer, posts) & posts.has_media


def _not_a_repost(test: Test) -> Test:
    return lambda viewer, posts: test(viewer, posts) & ~posts.repost


def _unknown_author(viewer: Viewer, posts: Subjects) -> NDArray[np.bool_]:
    return posts.author < 0


_DROPS: tuple[tuple[str, Test], ...] = (
    ("unresolved_author", _unknown_author),
    ("suspended_author", _author(AccountLabel.SUSPENDED)),
    ("deactivated_author", _author(AccountLabel.DEACTIVATED)),
    ("erased_author", _author(AccountLabel.ERASED)),
    ("offboarded_author", _author(AccountLabel.OFFBOARDED)),
    ("protected_author", _protected),
    ("viewer_blocks_author", _relation(lambda known: known.blocked_mask)),
    ("viewer_mutes_author", _relation(lambda known: known.muted_mask)),
    ("author_blocks_viewer", _relation(lambda known: known.blocked_by_mask)),
    ("viewer_mutes_reposts", _relation(lambda known: known.muted_reposts_mask, reposts_only=True)),
    ("pdna", _post(PostLabel.PDNA)),
    ("bounce", _post(PostLabel.BOUNCE)),
    ("spam", _post(PostLabel.SPAM)),
    ("emergency_only", _post(PostLabel.EMERGENCY_ONLY, spare_author=False)),
    ("hateful_conduct", _post(PostLabel.HATEFUL_CONDUCT)),
    ("violent_speech", _post(PostLabel.VIOLENT_SPEECH)),
    ("abuse", _post(PostLabel.ABUSE)),
    ("civic_integrity", _post(PostLabel.CIVIC_INTEGRITY)),
    ("nullcast", _not_a_repost(_post(PostLabel.NULLCAST))),
    ("stale_edit", _post(PostLabel.STALE_EDIT)),
    ("post_takedown", _post(PostLabel.TAKEDOWN)),
    ("author_takedown", _author(AccountLabel.TAKEDOWN)),
    ("sensitive_logged_out", _sensitive_for(lambda viewer: not viewer.settings.logged_in)),
    ("sensitive_under_age", _sensitive_for(lambda viewer: viewer.settings.under_age)),
    ("sensitive_no_age_stated", _sensitive_for(lambda viewer: viewer.settings.must_state_age)),
    ("exclusive_content", _exclusive),
)
_INTERSTITIALS: tuple[tuple[str, Test], ...] = (
    ("nsfw_interstitial", _post(PostLabel.NSFW_HIGH_PRECISION)),
    ("gore_interstitial", _post(PostLabel.GORE)),
    ("nsfw_card_interstitial", _post(PostLabel.NSFW_CARD)),
    ("nsfw_author_interstitial", _nsfw_author_with_media),
)
_RECOMMENDED: tuple[tuple[str, Test], ...] = (
    ("dmca", _post(PostLabel.DMCA)),
    ("geo_restricted", _post(PostLabel.GEO_RESTRICTED)),
    ("nsfw_user_author", _author(AccountLabel.NSFW_USER)),
    ("nsfw_admin_author", _author(AccountLabel.NSFW_ADMIN)),
    ("nsfw_user", _post(PostLabel.NSFW_USER)),
    ("nsfw_admin", _post(PostLabel.NSFW_ADMIN)),
    ("nsfw_high_recall", _post(PostLabel.NSFW_HIGH_RECALL)),
    ("nsfw_high_precision", _post(PostLabel.NSFW_HIGH_PRECISION)),
    ("gore", _post(PostLabel.GORE)),
    ("nsfw_card", _post(PostLabel.NSFW_CARD)),
    ("do_not_amplify", _post(PostLabel.DO_NOT_AMPLIFY)),
    ("malicious_url", _post(PostLabel.MALICIOUS_URL)),
    ("spam_high_recall", _post(PostLabel.SPAM_HIGH_RECALL)),
    ("nsfw_text", _post(PostLabel.NSFW_TEXT)),
    ("insults", _post(PostLabel.INSULTS)),
    ("nsfw_high_recall_author", _author(AccountLabel.NSFW_HIGH_RECALL)),
    ("nsfw_high_precision_author", _author(AccountLabel.NSFW_HIGH_PRECISION)),
    ("spam_high_recall_author", _author(AccountLabel.SPAM_HIGH_RECALL)),
    ("compromised_author", _author(AccountLabel.COMPROMISED)),
    ("read_only_author", _author(AccountLabel.READ_ONLY)),
    ("impersonation_author", _author(AccountLabel.IMPERSONATION)),
    ("nsfw_avatar_author", _author(AccountLabel.NSFW_AVATAR)),
    ("nsfw_banner_author", _author(AccountLabel.NSFW_BANNER)),
    ("abusive_author", _author(AccountLabel.ABUSIVE_HIGH_RECALL, spare_followers=True)),
    ("nsfw_near_perfect_author", _author(AccountLabel.NSFW_NEAR_PERFECT)),
    ("do_not_amplify_author", _author(AccountLabel.DO_NOT_AMPLIFY, spare_followers=True)),
)

BASE = tuple(Rule(name, test) for name, test in _DROPS) + tuple(
    Rule(name, test, Outcome.INTERSTITIAL) for name, test in _INTERSTITIALS
)
"""For every post."""
RECOMMENDATION = tuple(Rule(name, test, recommended_only=True) for name, test in _RECOMMENDED)
"""For posts by people whom the viewer does not follow, after the base rules."""
