from __future__ import annotations

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.datasets import Action, Dataset, Table, generate
from components.features.counts import EventCounts
from components.features.declared import Asked, Feature, FeatureSet
from components.features.groups import Similarity, TimeOfDay, heavy_features
from components.features.journal import CHANNELS, Journal
from components.features.labels import HEADS, LABEL_WINDOW_MS, shown_examples
from components.models.heavy_ranker.config import IdConfig
from components.models.heavy_ranker.rows import check_features
from components.stores.from_dataset import stores_of
from components.units import HOUR_MS

events = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 2)), max_size=20)


@pytest.fixture(scope="module")
def world():
    return generate("tiny", seed=1)


@pytest.fixture(scope="module")
def stores(world):
    return stores_of(world.dataset)


@pytest.fixture(scope="module")
def features(stores, world):
    return heavy_features(Journal.of(stores, world.dataset))


@pytest.fixture(scope="module")
def examples(stores, world):
    return shown_examples(stores, world.dataset)


@given(events, st.integers(0, 4), st.integers(-1, 11), st.none() | st.integers(1, 8))
def test_counts_are_the_loop_that_people_would_write(rows, key, before, window):
    keys, times, adds = (np.array([row[at] for row in rows], dtype=np.int64) for at in range(3))
    counts = EventCounts.build(keys, times, adds[:, None])
    since = -100 if window is None else before - window
    expected = sum(add for k, time, add in rows if k == key and since <= time < before)
    found = counts.counts(np.array([key]), np.array([before]), window)
    assert found.tolist() == [[expected]]


def same(left, right):
    np.testing.assert_array_equal(left.continuous, right.continuous)
    np.testing.assert_array_equal(left.binary, right.binary)
    for name, ids in left.ids.items():
        np.testing.assert_array_equal(ids, right.ids[name])


def test_a_pair_has_the_same_features_alone_and_among_thousands(features, examples):
    together = features.rows(examples.asked)
    check_features(together, features.config)
    for pair in range(0, len(examples), len(examples) // 40):
        request = examples.asked.request[pair]
        alone = Asked.one(
            int(examples.asked.viewer[request]),
            int(examples.asked.now_ms[request]),
            examples.asked.post[pair : pair + 1],
        )
        same(features.rows(alone), together.take(slice(pair, pair + 1)))


def test_features_do_not_know_the_future(world, stores, features):
    data = world.dataset
    now_ms = int(np.quantile(data["impressions"]["time_ms"], 0.6))
    posts = np.flatnonzero(stores.posts.created_ms < now_ms)[-50:]
    past = data.as_of(now_ms)
    then = stores_of(past)
    known = heavy_features(Journal.of(then, past))
    ids = stores.posts.index.ids[posts]
    for viewer in range(0, 200, 20):
        later = features.rows(Asked.one(viewer, now_ms, posts))
        at_the_time = known.rows(Asked.one(viewer, now_ms, then.posts.index.rows_of(ids)))
        np.testing.assert_array_equal(later.continuous, at_the_time.continuous)
        np.testing.assert_array_equal(later.binary, at_the_time.binary)


def test_aggregates_are_counted_by_hand(world, stores, features, examples):
    acted = examples.asked.viewer == np.argmax(stores.engagements.degrees(np.arange(len(stores.users))))
    data, pair = world.dataset, int(np.flatnonzero(acted[examples.asked.request])[-1])
    request = examples.asked.request[pair]
    now_ms, post = examples.asked.now_ms[request], examples.asked.post[pair]
    viewer, author = examples.asked.viewer[request], stores.posts.author[post]
    part = examples.during(now_ms, now_ms + 1)
    row = features.rows(part.asked).continuous[np.flatnonzero(part.asked.post == post)[0]]
    values = dict(zip(features.names("continuous"), row.tolist(), strict=True))
    shown, did = data["impressions"], data["engagements"]
    authors = stores.posts.author[stores.posts.index.rows_of(shown["post_id"])]
    earlier = shown["time_ms"] < now_ms
    assert values["author.shown.ever"] == np.sum((authors == author) & earlier)
    recent = earlier & (shown["time_ms"] >= now_ms - 24 * HOUR_MS)
    assert values["author.shown.24h"] == np.sum((authors == author) & recent)
    mine = (did["viewer_id"] == stores.users.ids[viewer]) & (did["time_ms"] < now_ms)
    liked = mine & (did["action"] != Action.NEGATIVE_FEEDBACK_V2) & (did["action"] != Action.REPORT)
    assert values["viewer.acted.ever"] == liked.sum() > 0
    seen = np.sum((shown["viewer_id"] == stores.users.ids[viewer]) & earlier)
    favs = np.sum(mine & (did["action"] == Action.FAV))
    assert values["viewer.favorited_rate.ever"] == pytest.approx((favs + 0.5) / (seen + 5.0))


def test_every_action_is_counted_under_a_channel(world, stores):
    journal = Journal.of(stores, world.dataset)
    totals = dict(zip(CHANNELS, journal.adds.sum(axis=0, dtype=np.int64).tolist(), strict=True))
    assert totals["shown"] == len(world.dataset["impressions"])
    assert totals["acted"] + totals["rejected"] == len(world.dataset["engagements"])


def table(names, columns):
    return Table(dict(zip(names, columns, strict=True)))


def small(impressions, engagements):
    """Two users, two posts by the second."""
    tables = {
        "users": Table({"user_id": [1, 2], "created_ms": [0, 0], "language": ["", ""], "name": ["a", "b"]}),
        "posts": Table({"post_id": [10, 20], "author_id": [2, 2], "created_ms": [0, 0]}),
        "impressions": table(("viewer_id", "post_id", "time_ms", "position"), impressions),
        "engagements": table(("viewer_id", "post_id", "action", "time_ms"), engagements),
    }
    return Dataset("small", tables, LABEL_WINDOW_MS * 10)


def test_labels_go_to_the_last_impression_before_the_action_and_only_within_the_window():
    hour = HOUR_MS
    data = small(
        ([1, 1, 1], [10, 10, 20], [0, 1 * hour, 1 * hour], [0, 0, 1]),
        ([1, 1, 1], [10, 10, 20], [Action.FAV, Action.REPLY, Action.FAV], [2 * hour, hour // 2, 4 * hour]),
    )
    found = shown_examples(stores_of(data), data)
    assert found.asked.now_ms.tolist() == [0, hour]
    assert found.asked.request.tolist() == [0, 1, 1]
    fav, reply = found.labels[:, Action.FAV], found.labels[:, Action.REPLY]
    assert fav.tolist() == [0, 1, 0]  # the third came three hours late
    assert reply.tolist() == [1, 0, 0]


def test_heads_have_the_published_names():
    assert set(HEADS) == set(Action)
    assert HEADS[Action.FAV] == "is_favorited"
    assert HEADS[Action.REPORT] == "is_report_tweet_clicked"


@given(st.integers(1, 400))
def test_parts_hold_whole_requests_and_everything_once(examples, pairs):
    parts = list(examples.parts(pairs))
    assert np.concatenate([part.asked.post for part in parts]).tolist() == examples.asked.post.tolist()
    assert sum(len(part.asked.viewer) for part in parts) == len(examples.asked.viewer)
    assert all(len(np.unique(part.asked.request)) == len(part.asked.viewer) for part in parts)


@attrs.frozen
class Encoder:
    name: str = "toy"

    def user_vectors(self, user_ids):
        return np.stack([user_ids % 3, user_ids % 2], axis=1).astype(np.float32)

    def post_vectors(self, post_rows, at_ms):
        return np.stack([post_rows % 2, np.full(len(post_rows), at_ms % 5)], axis=1).astype(np.float32)


def test_similarity_is_missing_without_a_vector(stores, world):
    group = Similarity(Journal.of(stores, world.dataset), Encoder())
    users = stores.users.ids
    asked = Asked(np.array([0, 5]), np.array([5, 6]), np.array([0, 0, 1]), np.array([2, 3, 3]))
    dots, cosines = group.compute(asked)
    first, second = Encoder().user_vectors(users[[0, 5]])
    assert np.isnan([dots[0], cosines[0]]).all()  # the post's vector is zero
    assert dots[1] == first @ [1, 0]
    if np.any(second):
        assert cosines[2] == pytest.approx(second @ [1, 1] / np.linalg.norm(second) / np.sqrt(2))
    assert {feature.of for feature in group.features} == {"similarity"}


def test_names_are_distinct_and_ids_have_tables():
    with pytest.raises(ValueError, match="distinct"):
        FeatureSet((TimeOfDay(), TimeOfDay()))
    with pytest.raises(ValueError, match="table"):
        Feature("a", "post", (), "id")
    with pytest.raises(ValueError, match="table"):
        Feature("a", "post", (), "continuous", IdConfig(4))


def test_the_fingerprint_changes_with_the_declaration(features):
    assert features.fingerprint != FeatureSet(features.groups[1:]).fingerprint


def test_after_warming_up_nothing_is_left_to_index(world, stores):
    journal = Journal.of(stores, world.dataset)
    warm = heavy_features(journal)
    warm.warm_up(stores.now_ms)
    indexed = set(vars(journal))
    warm.rows(Asked.one(0, stores.now_ms, np.arange(20)))
    assert set(vars(journal)) == indexed
    assert "by_viewer_thing" in indexed


@given(events, st.integers(1, 3))
def test_keys_too_large_for_one_number_with_the_moment_are_counted_alike(rows, key):
    keys, times, adds = (np.array([row[at] for row in rows], dtype=np.int64) for at in range(3))
    far = np.int64(2**61)
    near, large = (EventCounts.build(by, times, adds[:, None]) for by in (keys, keys * far))
    moments = np.arange(-1, 12)
    np.testing.assert_array_equal(
        near.counts(np.full(13, key), moments), large.counts(np.full(13, key) * far, moments)
    )
