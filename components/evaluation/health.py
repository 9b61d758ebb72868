"""Is the whole of what people see healthy: breadth, novelty, concentration, network share, age, emptiness."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from components.evaluation import _checks
from components.evaluation.errors import InvalidInputError

__all__ = [
    "Staleness",
    "catalogue_coverage",
    "empty_slate_share",
    "entropy",
    "exposure_gini",
    "in_network_share",
    "novelty",
    "slate_entropy",
    "staleness",
]


@attrs.frozen
class Staleness:
    """Age of what was shown, in seconds; NaN when nothing was shown."""

    mean_s: float
    median_s: float
    p90_s: float


def catalogue_coverage(item: ArrayLike, catalogue_size: int) -> float:
    """Share of the catalogue that was shown to anyone.

    Raises:
        InvalidInputError: more distinct items were shown than the catalogue holds.
    """
    shown = len(np.unique(_checks.ids(item, "item")))
    size = _checks.at_least(catalogue_size, 1, "catalogue_size")
    if shown > size:
        raise InvalidInputError(
            f"catalogue_size: expected at least the {shown} distinct items shown, got {size}"
        )
    return shown / size


def novelty(item: ArrayLike, seen_item: ArrayLike, seen_count: ArrayLike, population: int) -> float:
    """Mean self-information of what was shown, in bits: -log2(people who had met the item / population).

    Args:
        item: what was shown, shape (n,).
        seen_item: items with a known audience, distinct, shape (m,).
        seen_count: how many people had met each, shape (m,). An item with no audience counts as met by one.
        population: how many people there are.

    NaN: nothing was shown.
    Source: Zhou et al. 2010 (surprisal), Vargas and Castells 2011 (popularity complement).
    """
    shown, known = _checks.ids(item, "item"), _checks.ids(seen_item, "seen_item")
    count = _checks.not_negative(seen_count, "seen_count")
    _checks.same_length(seen_item=known, seen_count=count)
    population = _checks.at_least(population, 1, "population")
    if (count > population).any():
        raise InvalidInputError(
            f"seen_count: expected at most the population {population}, got {count.max():g}"
        )
    if len(shown) == 0:
        return float("nan")
    audience = _audience(shown, known, count)
    return float(np.mean(np.log2(population) - np.log2(audience)))


def entropy(value: ArrayLike) -> float:
    """Shannon entropy of a column of codes (authors, topics, items), in bits; 0 is one value only.

    NaN: no rows.
    """
    codes = _checks.ids(value, "value")
    if len(codes) == 0:
        return float("nan")
    return float(slate_entropy(np.zeros(len(codes), np.int64), codes)[0])


def slate_entropy(user: ArrayLike, value: ArrayLike) -> NDArray[np.float64]:
    """Shannon entropy of a column within each user's slate, in bits, in order of user id.

    Shapes: two vectors (n,) -> (U,).
    """
    user, value = _checks.ids(user, "user"), _checks.ids(value, "value")
    _checks.same_length(user=user, value=value)
    users, owner = np.unique(user, return_inverse=True)
    pairs, count = np.unique(np.stack([owner, value]), axis=1, return_counts=True)
    share = count / np.bincount(owner, minlength=len(users))[pairs[0]]
    # abs: one value gives -1 * log2(1) = -0.0
    return np.abs(np.bincount(pairs[0], -share * np.log2(share), len(users)))


def exposure_gini(author: ArrayLike, author_count: int | None = None) -> float:
    """Gini index of rows per author: 0 is equal exposure, near 1 is all of it to one author.

    Args:
        author: author of each row shown, shape (n,).
        author_count: how many authors could have been shown; those without a row count as zero exposure.
            None counts only authors who were shown.

    NaN: no rows.
    """
    _, rows = np.unique(_checks.ids(author, "author"), return_counts=True)
    if len(rows) == 0:
        return float("nan")
    count = len(rows) if author_count is None else _checks.at_least(author_count, 1, "author_count")
    if count < len(rows):
        raise InvalidInputError(f"author_count: expected at least the {len(rows)} authors shown, got {count}")
    rank = np.arange(count - len(rows) + 1, count + 1)
    return float((2 * rank - count - 1) @ np.sort(rows) / (count * rows.sum()))


def in_network_share(in_network: ArrayLike) -> float:
    """Share of rows whose author the viewer follows.

    NaN: no rows.
    """
    flags = _checks.flags(in_network, "in_network")
    return float(flags.mean()) if len(flags) else float("nan")


def staleness(created_ms: ArrayLike, shown_ms: ArrayLike) -> Staleness:
    """Age of each row when it was shown: mean, median and 90th percentile.

    Raises:
        InvalidInputError: a row was shown before it was created.
    """
    created, shown = _checks.ids(created_ms, "created_ms"), _checks.ids(shown_ms, "shown_ms")
    _checks.same_length(created_ms=created, shown_ms=shown)
    age_s = (shown - created) / 1000.0
    if (age_s < 0.0).any():
        row = int(np.argmax(age_s < 0.0))
        raise InvalidInputError(
            f"shown_ms: expected times after creation, row {row} is {-age_s[row]} s before it"
        )
    if len(age_s) == 0:
        return Staleness(float("nan"), float("nan"), float("nan"))
    median, p90 = np.quantile(age_s, [0.5, 0.9])
    return Staleness(float(age_s.mean()), float(median), float(p90))


def empty_slate_share(user: ArrayLike, all_users: ArrayLike) -> float:
    """Share of users who were to be served and have no row.

    NaN: nobody was to be served.

    Raises:
        InvalidInputError: a row belongs to somebody who was not to be served.
    """
    served, asked = np.unique(_checks.ids(user, "user")), np.unique(_checks.ids(all_users, "all_users"))
    strangers = np.setdiff1d(served, asked)
    if len(strangers):
        raise InvalidInputError(
            f"all_users: expected every user who has rows, user {strangers[0]} is missing"
        )
    return 1.0 - len(served) / len(asked) if len(asked) else float("nan")


def _audience(
    shown: NDArray[np.int64], known: NDArray[np.int64], count: NDArray[np.float64]
) -> NDArray[np.float64]:
    order = np.argsort(known, kind="stable")
    known, count = known[order], count[order]
    if (known[1:] == known[:-1]).any():
        raise InvalidInputError("seen_item: expected distinct items, one comes twice")
    slot = np.searchsorted(known, shown)
    match = np.append(known, 0)[slot] == shown
    match &= slot < len(known)
    return np.maximum(np.where(match, np.append(count, 0.0)[slot], 1.0), 1.0)
