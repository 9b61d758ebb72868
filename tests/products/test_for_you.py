from __future__ import annotations

import itertools

import anyio
import attrs
import numpy as np
import pytest

from components.datasets import Action, Table
from components.rankers.light import LogisticRanker, feature_matrix
from components.sources.topics import FEW_TOPICS
from components.stores.from_dataset import stores_of
from components.stores.stores import mask_of
from components.stores.types import Controls, Post, Settings, Viewer
from mixer import DebugOptions, Outcome, Request
from mixer.params import Params
from mixer.rankers import KeepOrder
from mixer.replay import Capture, verify
from products.for_you import answer, params
from products.for_you.flow import ForYou
from products.for_you.training import INPUTS, Collector, Training, moments_of, train

USERS = range(1, 201, 7)
GOLDEN = [19710, 19840, 19810, 19430, 19890, 18970, 18160, 19970, 19650, 19200]


def viewer_of(stores, user, **fields):
    settings = Params.of(fields.pop("params", {}))
    request = Request(id="test", now_ms=fields.pop("now_ms", stores.now_ms), params=settings, **fields)
    return Viewer(user, request=request)


async def test_a_timeline_breaks_no_promise(stores, for_you):
    blocks, engaged = stores.graphs["block"], stores.engagements
    for user in USERS:
        row = stores.users.row_of(user)
        result = await for_you.process(viewer_of(stores, user, debug=DebugOptions(skip_side_effects=True)))
        posts = result.candidates
        authors = posts[Post.author_row]
        assert result.outcome is Outcome.OK
        assert len(posts) == params.RESULTS.default
        assert len(set(posts.ids.tolist())) == len(posts)
        assert row not in authors
        assert not set(authors.tolist()) & {*blocks.of(row).tolist(), *blocks.reverse.of(row).tolist()}
        assert not set(authors.tolist()) & set(stores.graphs["mute"].of(row).tolist())
        assert not set(posts[Post.row].tolist()) & set(engaged.of(row).tolist())
        assert (stores.now_ms - posts[Post.created_ms]).max() <= 48 * 3_600_000
        assert posts[Post.in_network].tolist() == np.isin(authors, stores.follows.of(row)).tolist()
        assert posts[Post.text].tolist() == stores.posts.text[posts[Post.row]].tolist()
        assert posts[Post.score].tolist() == sorted(posts[Post.score].tolist(), reverse=True)
        assert not np.isnan(posts[Post.score]).any()


async def test_every_stage_passes_on_what_it_was_given(stores, for_you):
    result = await for_you.process(viewer_of(stores, 1))
    stages = result.trace.stages
    for before, after in itertools.pairwise(stages[2:]):
        assert after.count_in == before.count_out >= after.count_out
    assert stages[-1].count_out == len(result.candidates)


async def test_every_source_contributes_and_every_candidate_names_its_sources(stores, for_you):
    found = set()
    for user in USERS:
        result = await for_you.process(viewer_of(stores, user, params={params.RESULTS: 200}))
        provenance = result.candidates.provenance
        for handle in result.candidates.handles.tolist():
            names = provenance.names_of(handle)
            assert provenance.names[int(provenance.source[handle])] in names
            found |= set(names)
    known = {"in_network", "co_engagement", "popular"}
    later = {"liked_by_followed", "recommended_authors", "trending_topic", "new_authors", "backfill"}
    assert found == known | later


async def test_one_post_is_ranked_and_shown_at_rest_where_the_cap_is_one(stores, for_you):
    result = await for_you.process(viewer_of(stores, 1, params={params.RANK_CAP: 1}))
    assert len(result.candidates) == 1


async def test_scores_of_sources_are_features(stores, for_you):
    result = await for_you.process(viewer_of(stores, 1, params={params.RESULTS: 200}))
    posts = result.candidates
    scores, _ = posts.provenance.matrix_of(posts.handles)
    for name, key in (("in_network", Post.in_network_score), ("popular", Post.popular_score)):
        expected = scores[:, posts.provenance.names.index(name)]
        assert np.array_equal(posts[key], expected, equal_nan=True)
        assert not np.isnan(expected).all()


async def test_what_was_shown_is_not_shown_again(stores, for_you):
    first = await for_you.process(viewer_of(stores, 1))
    second = await for_you.process(viewer_of(stores, 1))
    assert not set(first.candidates.ids.tolist()) & set(second.candidates.ids.tolist())
    someone_else = await for_you.process(viewer_of(stores, 8))
    assert len(someone_else.candidates) == params.RESULTS.default


@pytest.mark.parametrize("limit", [0, 1, 7])
async def test_the_limit_is_kept(stores, for_you, limit):
    result = await for_you.process(attrs.evolve(viewer_of(stores, 1), limit=limit))
    assert len(result.candidates) == limit
    assert result.outcome is (Outcome.OK if limit else Outcome.EMPTY)


async def test_strangers_to_the_stores_are_ineligible(stores, for_you):
    result = await for_you.process(viewer_of(stores, 10**9))
    assert (result.outcome, result.reasons) == (Outcome.INELIGIBLE, ("unknown_user",))


async def test_a_failing_source_leaves_a_degraded_timeline(stores, timeline_model):
    broken = attrs.evolve(stores, graphs={**stores.graphs, "engagement": None})
    flow = ForYou(stores, LogisticRanker(timeline_model, INPUTS, Post.score))
    object.__setattr__(flow.sources.all()[1].inner, "stores", broken)
    broken.__dict__["engagements"] = None
    result = await flow.process(viewer_of(stores, 1))
    assert result.outcome is Outcome.DEGRADED
    assert [one.component for one in result.degradations] == ["co_engagement"]
    assert len(result.candidates) == params.RESULTS.default


async def test_a_captured_request_replays_to_the_same_bytes(stores, for_you):
    debug = DebugOptions(capture=True, skip_side_effects=True)
    result = await for_you.process(viewer_of(stores, 15, debug=debug))
    await verify(for_you, Capture.of(result))


async def test_the_story_of_a_post_adds_up_to_its_score(stores, for_you, timeline_model):
    debug = DebugOptions(trace=True)
    result = await for_you.process(viewer_of(stores, 1, debug=debug))
    story = result.trace.story(int(result.candidates.ids[0]))
    ranked = next(event for event in story.events if event.component == "logistic_ranker")
    terms = [ranked.values[name] for name in timeline_model.feature_names]
    logit = timeline_model.intercept + sum(terms)
    assert ranked.values["score"] == pytest.approx(1 / (1 + np.exp(-logit)), rel=1e-4)


async def test_the_timeline_of_the_embedded_world_is_pinned(stores, for_you):
    result = await for_you.process(attrs.evolve(viewer_of(stores, 1), limit=10))
    assert result.candidates.ids.tolist() == GOLDEN


# -- training ----------------------------------------------------------------------------------------------


def test_nothing_after_the_cut_off_is_learned(stores):
    """Whatever people did after the cut-off, the model is the same."""
    training = Training(requests=60)
    engagements = stores.engagements
    _, until_ms = moments_of(stores, training, np.random.default_rng(0))
    later = engagements.time_ms >= until_ms
    assert later.sum() > 50
    other = attrs.evolve(
        engagements, ends=np.where(later, (engagements.ends + 1) % engagements.columns, engagements.ends)
    )
    changed = attrs.evolve(stores, graphs={**stores.graphs, "engagement": other})
    one, other = (anyio.run(train, each, Params.of({}), training) for each in (stores, changed))
    assert np.array_equal(one.coefficients, other.coefficients)
    assert one.intercept == other.intercept


async def test_the_ranker_tells_what_comes_next_better_than_any_single_feature(stores, timeline_model):
    """On requests after the cut-off."""
    flow, engagements = Collector(stores, KeepOrder()), stores.engagements
    in_time = np.argsort(engagements.time_ms, kind="stable")
    areas = []
    for moment in in_time[int(0.9 * len(in_time)) :: 2].tolist():
        row, now_ms = int(engagements.sources[moment]), int(engagements.time_ms[moment])
        result = await flow.process(viewer_of(stores, int(stores.users.ids[row]), now_ms=now_ms))
        next_posts = engagements.of(row)[len(engagements.of(row, now_ms)) :]
        acted = mask_of(next_posts, len(stores.posts))[result.candidates[Post.row]]
        if 0 < acted.sum() < len(acted):
            features = np.nan_to_num(feature_matrix(result.candidates, INPUTS), nan=-1.0)
            scores = timeline_model.predict_proba(feature_matrix(result.candidates, INPUTS))
            areas.append([area(column, acted) for column in (scores, *features.T, *-features.T)])
    mean = np.mean(areas, axis=0)
    assert mean[0] > mean[1:].max()
    assert mean[0] > 0.8


def area(scores, acted):
    """Probability that a candidate acted on scores higher than another."""
    pairs = scores[acted][:, None] - scores[~acted]
    return (pairs > 0).mean() + (pairs == 0).mean() / 2


async def test_people_truly_like_the_timeline_better_than_simpler_ones(stores, truth, for_you):
    flow = Collector(stores, KeepOrder())
    likes = {"timeline": [], "everything": [], "newest": [], "popular": []}
    for user in USERS:
        viewer = viewer_of(stores, user, debug=DebugOptions(skip_side_effects=True))
        posts = (await flow.process(viewer)).candidates
        chosen = {
            "timeline": (await for_you.process(viewer)).candidates,
            "everything": posts,
            "newest": posts.sort(Post.age_h, descending=False).head(20),
            "popular": posts.sort(Post.recent_engagements).head(20),
        }
        for name, shown in chosen.items():
            likes[name].append(truth.probability(np.full(len(shown), user), shown.ids, Action.FAV).mean())
    timeline, *others = (np.mean(values) for values in likes.values())
    assert timeline > 1.1 * max(others)


def test_a_world_without_engagements_cannot_be_learned_from(world):
    empty = Table({name: world.engagements[name][:0] for name in world.engagements})
    silent = stores_of(attrs.evolve(world, tables={**world.tables, "engagements": empty}))
    with pytest.raises(ValueError, match="engagements to learn from"):
        anyio.run(train, silent, Params.of({}))


def unseen(stores, user, settings):
    return viewer_of(stores, user, params=settings, debug=DebugOptions(skip_side_effects=True))


@pytest.mark.parametrize("cap", [0, 50])
async def test_older_posts_stand_behind_everything_else(stores, for_you, cap):
    user = USERS[0]
    viewer = unseen(stores, user, {params.RESULTS: 400, params.BACKFILL_CAP: cap})
    posts = (await for_you.process(viewer)).candidates
    older = posts[Post.age_h] > params.MAX_AGE_H.default
    assert older.any() == (cap > 0)
    assert np.array_equal(older, np.sort(older))
    assert (posts[Post.age_h] <= params.BACKFILL_AGE_H.default).all()


async def test_a_diverse_slate_covers_more_topics(stores, for_you):
    topics = {False: [], True: []}
    for user in USERS:
        for diverse, seen in topics.items():
            viewer = unseen(stores, user, {params.SLATE: diverse})
            posts = (await for_you.process(viewer)).candidates
            seen.append(len(np.unique(stores.posts.code("topic")[posts[Post.row]])))
    assert np.mean(topics[True]) > np.mean(topics[False])


async def test_scores_decay_with_age_where_that_is_asked_for(stores, for_you):
    ages = {}
    for decays in (False, True):
        settings = {params.RECENCY: decays, params.RECENCY_RATE: 1.0}
        posts = (await for_you.process(unseen(stores, USERS[0], settings))).candidates
        ages[decays] = posts[Post.age_h].mean()
    assert ages[True] < ages[False]


async def test_a_small_author_is_lifted_where_large_ones_lead(stores, for_you):
    many = {params.COLD_START_FOLLOWERS: 5, params.DECAY: 1.0, params.STRANGER_FACTOR: 1.0}
    lifted, plain = [
        (await for_you.process(unseen(stores, user, {**many, params.COLD_START: on}))).candidates
        for user in USERS[:1]
        for on in (True, False)
    ]

    def best_place(posts):
        small = np.flatnonzero(posts[Post.author_followers] <= 5)
        return int(small[0]) if len(small) else len(posts)

    assert best_place(lifted) <= best_place(plain)
    assert best_place(lifted) <= 16


async def test_relations_of_viewer_and_author_are_there_unless_switched_off(stores, for_you):
    columns = (Post.mutual_follow, Post.followed_by)
    for columns_on in (True, False):
        switches = dict.fromkeys(params.HYDRATORS.values(), columns_on)
        settings = {**switches, params.AUTHOR_PROOF: columns_on}
        posts = (await for_you.process(unseen(stores, USERS[0], settings))).candidates
        assert [posts.has(key) for key in (*columns, Post.author_proof)] == [columns_on] * 3
        follows, me = stores.follows, stores.users.row_of(USERS[0])
        mutual = [me in follows.of(author) and author in follows.of(me) for author in posts[Post.author_row]]
        assert posts[Post.mutual_follow].tolist() == [columns_on and one for one in mutual]


async def test_the_closest_connection_is_the_reason(stores, for_you):
    told = {"in_network": 0, "engaged": 0, "followed": 0, "none": 0}
    for user in USERS:
        for post in (await for_you.process(unseen(stores, user, {}))).candidates:
            why = answer.reason(stores, post, "popular")
            assert len(post.author_proof) == min(post.followed_by, 3)
            if post.in_network:
                case, start = "in_network", f"you follow {stores.called(post.author_row)}"
            elif post.social_proof:
                case, start = "engaged", stores.called(stores.users.row_of(post.social_proof[0]))
            elif post.author_proof:
                first = stores.called(stores.users.row_of(post.author_proof[0]))
                case, start = "followed", f"followed by {first}"
            else:
                case, start = "none", "popular: "
            assert why.startswith(start)
            assert (f" {post.followed_by - 1} other" in why) == (case == "followed" and post.followed_by > 1)
            told[case] += 1
    assert min(told.values()) > 0


def count_of(result, stage):
    """Candidates after a stage."""
    return next(one.count_out for one in result.trace.stages if one.name == stage)


async def test_strangers_come_once_from_each_source_unless_switched_off(stores, for_you):
    most = {}
    for once in (True, False):
        counts = []
        for user in USERS:
            settings = {params.STRANGER_ONCE: once, params.RESULTS: 200}
            result = await for_you.process(unseen(stores, user, settings))
            posts, seen = result.candidates, {one.name: one.count for one in result.trace.components}
            assert (seen["one_of_each_stranger"] < count_of(result, "ranker")) == once
            strangers = posts.pick(np.flatnonzero(~posts[Post.in_network]))
            sources = posts.provenance.primary_of(strangers.handles).tolist()
            pairs = list(zip(strangers[Post.author_row].tolist(), sources, strict=True))
            counts.append(max(pairs.count(pair) for pair in pairs))
        most[once] = max(counts)
    assert most[True] == 1 < most[False]


@pytest.mark.parametrize("named", [1, 6, 7])
async def test_a_request_for_a_few_topics_looks_for_posts_on_them(stores, for_you, named):
    topic, wanted = stores.posts.number("topic", -1), frozenset(range(1, 1 + named))
    shown = {}
    for cap in (params.TOPICS_CAP.default, 0):
        viewer = unseen(stores, USERS[0], {params.TOPICS_CAP: cap, params.RESULTS: 400})
        viewer = attrs.evolve(viewer, controls=Controls(topics=wanted))
        posts = (await for_you.process(viewer)).candidates
        assert set(topic[posts[Post.row]].tolist()) <= wanted
        shown[cap] = len(posts)
    few = named <= FEW_TOPICS
    assert (shown[params.TOPICS_CAP.default] > shown[0]) == few
    assert shown[0] > 0


async def test_quotas_balance_a_slate_and_never_shorten_it(stores, for_you):
    """With room for one of each network, the second of either stands behind; without quotas nothing moves."""
    for user in USERS:
        slates = {}
        for on in (True, False):
            settings = {
                params.QUOTAS: on,
                params.IN_QUOTA: 4,
                params.OUT_QUOTA: 4,
                params.BACKFILL_CAP: 0,
                params.RESULTS: 40,
            }
            debug = DebugOptions(trace=True, skip_side_effects=True)
            slates[on] = await for_you.process(viewer_of(stores, user, params=settings, debug=debug))
        balanced, plain = (slates[on].candidates for on in (True, False))
        assert len(balanced) == len(plain)
        inside = balanced[Post.in_network]
        assert inside[:8].sum() == min(4, inside.sum())
        last = slates[True].trace.story(int(balanced.ids[-1]))
        events = {event.component: event.values for event in last.events}
        assert events["network_quotas"]["over_quota"] == 1.0
        assert "network_quotas" not in {
            event.component for event in slates[False].trace.story(int(plain.ids[-1])).events
        }


async def test_what_an_operator_lists_does_not_reach_anybody(stores, for_you):
    """Each list takes away what it names, and a stat says how much; other lists stay empty."""
    user = USERS[0]
    plain = (await for_you.process(unseen(stores, user, {params.RESULTS: 40}))).candidates
    strange = np.flatnonzero(~plain[Post.in_network])[:2].tolist()
    authors = tuple(plain[Post.author_id][strange].tolist())
    first = int(plain.ids[0])
    lists = {
        "by_competitor": ({params.COMPETITORS: authors}, Settings()),
        "listed_for_elections": ({params.ELECTION_ACCOUNTS: authors}, Settings()),
        "withheld_in_country": ({params.WITHHELD_POSTS: (f"DE:{first}",)}, Settings(country="DE")),
    }
    for reason, (listed, told) in lists.items():
        viewer = unseen(stores, user, {params.RESULTS: 40, **listed})
        result = await for_you.process(attrs.evolve(viewer, settings=told))
        shown = result.candidates
        assert len(shown) == len(plain)
        if reason == "withheld_in_country":
            assert first not in shown.ids
        else:
            assert not set(authors) & set(shown[Post.author_id].tolist())
        assert for_you.stats.snapshot()[f"for_you/pre_ranker_filter/reasons/{reason}"] > 0
    abroad = unseen(stores, user, {params.RESULTS: 40, params.WITHHELD_POSTS: (f"DE:{first}",)})
    assert (await for_you.process(abroad)).candidates.ids.tolist() == plain.ids.tolist()


async def test_what_was_shown_this_week_stays_away_where_that_is_asked_for(stores, for_you):
    """Three days on, the exact store has forgotten what was shown; the week's filters have not."""
    later = stores.now_ms + 3 * 24 * 3_600_000
    for on in (True, False):
        flow = ForYou(stores, for_you.ranker)
        settings = {params.SEEN_THIS_WEEK: on, params.MAX_AGE_H: 24.0 * 365}
        first = viewer_of(stores, USERS[0], params=settings)
        shown = (await flow.process(first)).candidates.ids.tolist()
        request = attrs.evolve(first.request, now_ms=later)
        again = (await flow.process(attrs.evolve(first, request=request))).candidates.ids.tolist()
        assert shown
        assert again
        assert bool(set(shown) & set(again)) is not on
