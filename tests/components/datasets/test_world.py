"""The synthetic world: deterministic, valid, and faithful to the truth it plants."""

from __future__ import annotations

import numpy as np
import pytest

from components.datasets import Action, generate, load_world
from components.datasets.truth import BASE_RATES, GATE_CENTRE, GATE_SLOPE
from components.datasets.words import UNSAFE_WORDS
from components.datasets.world import START_MS
from components.datasets.world_slates import SLATE


@pytest.fixture(scope="module")
def world():
    return generate("small", seed=5)


def test_a_seed_gives_the_same_world_bit_for_bit():
    one, two, other = generate("tiny", 1), generate("tiny", 1), generate("tiny", 2)
    for name, table in one.dataset.tables.items():
        for column in table:
            assert (
                table[column].tolist() == two.dataset[name][column].tolist() or np.isnan(table[column]).any()
            )
    assert one.dataset.posts["author_id"].tolist() != other.dataset.posts["author_id"].tolist()


def test_a_world_is_called_by_its_size(world):
    assert (world.dataset.name, world.size) == ("world-small", "small")


def test_an_unknown_size_is_refused():
    with pytest.raises(ValueError, match="tiny, small, medium, large, got 'huge'"):
        generate("huge")


def test_probabilities_follow_the_published_form(world):
    truth = world.truth
    rng = np.random.default_rng(0)
    viewers = rng.choice(truth.user_id, 200)
    posts = rng.choice(truth.post_id, 200)
    found = truth.probability(viewers, posts)
    for row, (viewer, post) in enumerate(zip(viewers.tolist(), posts.tolist(), strict=True)):
        at = int(np.searchsorted(truth.post_id, post))
        author = int(truth.post_author[at])
        affinity = (
            float(truth.preference[viewer - 1, truth.post_topic[at]])
            * float(truth.author_quality[author])
            * float(truth.post_quality[at])
        )
        gate = 1 / (1 + np.exp(-GATE_SLOPE * (affinity - GATE_CENTRE)))
        assert found[row, Action.FAV] == pytest.approx(0.14 * gate, rel=1e-5)
        assert found[row, Action.REPORT] == pytest.approx(1e-5 * (1 - gate), rel=1e-5)
        video = 0.08 * gate if truth.is_video[at] else 0.0
        assert found[row, Action.VIDEO_PLAYBACK_50] == pytest.approx(video, rel=1e-5)
    assert np.array_equal(found[:, Action.REPLY], truth.probability(viewers, posts, Action.REPLY))
    with pytest.raises(KeyError, match="unknown post id 5"):
        truth.probability(np.array([1]), np.array([5]))


def test_observed_rates_are_those_planted(world):
    data, truth = world.dataset, world.truth
    shown = data["impressions"]
    planted = truth.probability(shown["viewer_id"], shown["post_id"])
    examined = shown["propensity"].astype(float)
    for action in (Action.FAV, Action.GOOD_CLICK, Action.RETWEET, Action.NEGATIVE_FEEDBACK_V2):
        expected = float((planted[:, action] * examined).sum())
        happened = int((data.engagements["action"] == action).sum())
        assert abs(happened - expected) < 4 * np.sqrt(expected)
    assert BASE_RATES[Action.REPORT] == 1e-5


def test_nothing_happens_before_its_cause(world):
    data = world.dataset
    posts = dict(zip(data.posts["post_id"].tolist(), data.posts["created_ms"].tolist(), strict=True))
    for table in ("impressions", "engagements"):
        times, ids = data[table]["time_ms"].tolist(), data[table]["post_id"].tolist()
        assert all(time >= posts[one] for time, one in zip(times, ids, strict=True))
    assert (data["impressions"]["time_ms"] < data.now_ms).all()


def test_nobody_is_shown_their_own_post_or_one_post_twice(world):
    shown = world.dataset["impressions"]
    pairs = set(zip(shown["viewer_id"].tolist(), shown["post_id"].tolist(), strict=True))
    assert len(pairs) == len(shown)
    authors = dict(
        zip(world.dataset.posts["post_id"].tolist(), world.dataset.posts["author_id"].tolist(), strict=True)
    )
    assert not any(authors[post] == viewer for viewer, post in pairs)


def test_people_follow_people_who_share_their_topics(world):
    follows, truth = world.dataset.follows, world.truth
    main = truth.preference.argmax(axis=1)
    alike = (main[follows["follower_id"] - 1] == main[follows["followee_id"] - 1]).mean()
    shuffled = np.random.default_rng(0).permutation(follows["followee_id"])
    by_chance = (main[follows["follower_id"] - 1] == main[shuffled - 1]).mean()
    assert alike > 2 * by_chance


def test_popularity_has_a_long_tail(world):
    followers = np.sort(np.bincount(world.dataset.follows["followee_id"]))[::-1]
    assert followers[: len(followers) // 100].sum() > 0.15 * followers.sum()
    assert np.median(followers) < followers.mean() / 2


def test_a_typical_viewer_has_a_full_timeline(world):
    data = world.dataset
    fresh = data.posts.where(data.posts["created_ms"] > data.now_ms - 48 * 3_600_000)
    posts_of = np.bincount(fresh["author_id"], minlength=len(data.users) + 1)
    in_network = np.bincount(data.follows["follower_id"], weights=posts_of[data.follows["followee_id"]])
    assert np.median(in_network[1:]) > 50


def test_a_world_is_generated_once_and_then_read(tmp_path):
    steps: list[str] = []
    one = load_world("tiny", 3, tmp_path, steps.append)
    two = load_world("tiny", 3, tmp_path, steps.append)
    assert steps == ["people", "follows", "posts", "impressions"]
    assert one.dataset.posts["text"].tolist() == two.dataset.posts["text"].tolist()


def test_a_damaged_cache_is_replaced(tmp_path):
    load_world("tiny", 3, tmp_path)
    (cached,) = tmp_path.glob("world-*")
    for file in cached.rglob("*.npz"):
        file.write_bytes(file.read_bytes()[:1000])
    assert len(load_world("tiny", 3, tmp_path).dataset.posts) == 2_000
    assert len(list(tmp_path.iterdir())) == 1


class TestSlates:
    def test_a_viewer_and_a_moment_are_a_slate_with_places_from_the_top(self, world):
        table = world.dataset["impressions"].sort_by("viewer_id", "time_ms", "position")
        pairs = np.stack([table["viewer_id"], table["time_ms"]])
        begins = np.concatenate([[True], (np.diff(pairs, axis=1) != 0).any(axis=0)])
        first = np.flatnonzero(begins)[np.cumsum(begins) - 1]
        assert table["position"].tolist() == (np.arange(len(table)) - first).tolist()
        assert table["position"].max() < SLATE
        assert np.bincount(np.cumsum(begins)).mean() > SLATE / 2

    def test_posts_are_shown_about_two_hours_after_they_were_posted(self, world):
        table, posts = world.dataset["impressions"], world.dataset.posts
        created = posts["created_ms"][np.searchsorted(posts["post_id"], table["post_id"])]
        hours = (table["time_ms"] - created) / 3_600_000
        assert (hours > 0).all()
        assert 1.0 < np.median(hours) < 6.0

    def test_places_are_looked_at_as_often_as_their_propensity_says(self):
        data = generate("small", seed=1).dataset
        table, acted = data["impressions"], data.engagements
        liked = acted.where(acted["action"] == int(Action.FAV))
        keys = table["viewer_id"] * 10**7 + table["post_id"]
        was_liked = np.isin(keys, liked["viewer_id"] * 10**7 + liked["post_id"])
        rates = [was_liked[table["position"] == place].mean() for place in range(8)]
        decays = np.array(rates[1:]) / np.array(rates[:-1])
        assert np.exp(np.log(decays).mean()) == pytest.approx(0.85, abs=0.03)
        assert table["propensity"] == pytest.approx(0.85 ** table["position"], rel=1e-5)


def test_some_follows_come_while_the_world_lasts_and_show_posts_only_from_then_on(world):
    since = world.dataset.follows["created_ms"]
    assert (since >= START_MS).mean() == pytest.approx(0.2, abs=0.03)
    assert since.max() < world.dataset.now_ms


def test_threads_lead_to_earlier_posts_on_the_topic(world):
    posts = world.dataset.posts
    created = dict(zip(posts["post_id"].tolist(), posts["created_ms"].tolist(), strict=True))
    topic = dict(zip(posts["post_id"].tolist(), posts["topic"].tolist(), strict=True))
    for name, share in (("reply_to", 0.12), ("quote_of", 0.04), ("repost_of", 0.04)):
        pairs = [
            (post, other)
            for post, other in zip(posts["post_id"].tolist(), posts[name].tolist(), strict=True)
            if other >= 0
        ]
        assert len(pairs) / len(posts) == pytest.approx(share, abs=0.03)
        assert all(created[other] <= created[post] and topic[other] == topic[post] for post, other in pairs)
    assert (posts["text"][posts["repost_of"] >= 0] == "").all()


def test_labels_name_what_the_text_says(world):
    posts, labels = world.dataset.posts, world.dataset["labels"]
    text = dict(zip(posts["post_id"].tolist(), posts["text"].tolist(), strict=True))
    reposts = set(posts["post_id"][posts["repost_of"] >= 0].tolist())
    assert set(labels["label"].tolist()) == set(UNSAFE_WORDS)
    for post, label in zip(labels["post_id"].tolist(), labels["label"].tolist(), strict=True):
        assert post in reposts or any(phrase in text[post] for phrase in UNSAFE_WORDS[label])


def test_vectors_tell_topics_and_authors_apart(world):
    vectors, posts = world.vectors.astype(np.float64), world.dataset.posts
    assert vectors.shape == (len(posts), 64)
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, len(posts), (2, 20_000))
    similar = (vectors[one] * vectors[other]).sum(axis=1)
    same_topic = posts["topic"][one] == posts["topic"][other]
    same_author = posts["author_id"][one] == posts["author_id"][other]
    apart = similar[~same_topic & ~same_author].mean()
    assert similar[same_topic & ~same_author].mean() > apart + 0.3
    assert similar[same_author & (one != other)].mean() > apart + 0.3
