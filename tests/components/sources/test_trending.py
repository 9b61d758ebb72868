from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.sources.trending import TrendingPosts
from mixer.testing import check_laws
from tests.components.sources.small_stores import Small, ranked, same, small_stores


def naive(small, row, by, cap):
    group = [post[2 if by == "topic" else 3] for post in small.posts]
    recent, earlier = Counter(), defaultdict(Counter)
    for (_, post), hour in small.engagements.items():
        ago = small.now_h - hour
        if 0 < ago <= 6:
            recent[post] += 1
        elif 6 < ago <= 30:
            earlier[group[post]][post] += 1
    unknown = (-1, "")
    wanted = {group[post] for post in small.past(small.engagements).get(row, [])} - set(unknown)
    scores = {}
    for post, count in recent.items():
        usual = earlier[group[post]]
        before = sum(usual.values()) / max(len(usual), 1) / 24
        if group[post] in unknown or (wanted and group[post] not in wanted):
            continue
        if 0 < small.now_h - small.posts[post][1] <= 48:
            scores[post] = (count / 6 + 1) / (before + 1)
    return ranked(scores, cap)


@given(small_stores(), st.integers(-1, 6), st.sampled_from(["topic", "language"]), st.integers(0, 4))
@settings(max_examples=100)
def test_it_equals_its_twin(small, row, by, cap):
    row, stores = min(row, small.users - 1), small.stores()
    source = TrendingPosts(stores, by, cap)
    same(source.fetch(small.viewer(stores, row)), naive(small, row, by, cap))


def test_a_busy_topic_needs_more_to_trend():
    posts = [(0, 30, 1, "en", -1, -1), (0, 30, 2, "en", -1, -1)]
    engagements = {(1, 0): 35, (2, 0): 36, (3, 0): 47, (4, 1): 47}
    small = Small(5, 50, {}, posts, engagements, {}, ["en"] * 5)
    stores = small.stores()
    source = TrendingPosts(stores)
    assert source.fetch(small.viewer(stores, -1)).ids.tolist() == [1001, 1000]
    assert source.name == "trending_topic"
    check_laws(source, target=small.viewer(stores, 4), examples=2)


def test_another_grouping_is_refused():
    stores = Small(1, 1, {}, [], {}, {}, [""]).stores()
    with pytest.raises(ValueError, match="colour"):
        TrendingPosts(stores, "colour")
