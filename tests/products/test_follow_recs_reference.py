"""The whole flow against a slow reading of its rules, in plain Python, on the tables of the tiny world.

Only the lists of the sources and the coefficients of the model are taken over: both have references of their own.
"""

from __future__ import annotations

from collections import defaultdict

import attrs
import numpy as np
import pytest

from components.datasets import Action, Relation
from components.predicates.accounts import LABELS
from components.rankers.light import LogisticRanker
from components.stores.requests import PeopleRequest
from components.stores.types import Account
from mixer import DebugOptions, Request
from mixer.params import Params
from products.follow_recs import params
from products.follow_recs.flow import FollowRecs
from products.follow_recs.sources import SOURCE_SCORES
from products.follow_recs.training import INPUTS

DAY_MS = 86_400_000
NEGATIVE = {int(Action.NEGATIVE_FEEDBACK_V2), int(Action.REPORT)}


class Tables:
    """What was known at a moment, as sets and dictionaries of ids."""

    def __init__(self, data, now_ms):
        self.now_ms = now_ms
        self.since, self.follows, self.followers = {}, defaultdict(set), defaultdict(set)
        follows = data.follows
        for one, other, since in zip(
            *(follows[name].tolist() for name in ("follower_id", "followee_id", "created_ms")), strict=True
        ):
            if since < now_ms:
                self.follows[one].add(other)
                self.followers[other].add(one)
                self.since[one, other] = min(since, self.since.get((one, other), since))
        self.decided = defaultdict(list)
        relations = data.relations
        for one, other, kind, since in zip(
            *(relations[name].tolist() for name in ("user_id", "subject_id", "kind", "time_ms")), strict=True
        ):
            if since < now_ms:
                self.decided[Relation(kind)].append((one, other, since))
        self.engaged = defaultdict(set)
        acts = data.engagements
        for one, post, action, at in zip(
            *(acts[name].tolist() for name in ("viewer_id", "post_id", "action", "time_ms")), strict=True
        ):
            if at < now_ms and action not in NEGATIVE:
                self.engaged[one].add(post)
        self.labels = defaultdict(set)
        labels = data["account_labels"]
        for one, label in zip(labels["user_id"].tolist(), labels["label"].tolist(), strict=True):
            self.labels[one].add(label)

    def others(self, user, *kinds):
        """About whom a user decided something."""
        return {other for kind in kinds for one, other, _ in self.decided[kind] if one == user}

    def by(self, user, *kinds):
        """Who decided something about a user."""
        return {one for kind in kinds for one, other, _ in self.decided[kind] if other == user}

    def dismissed(self, user):
        oldest = self.now_ms - 180 * DAY_MS
        return {
            other
            for one, other, since in self.decided[Relation.DISMISSED]
            if one == user and (since == 0 or since >= oldest)
        }

    def features(self, user, account, found):
        """By column; ``found`` has the score and rank at each source that found the account."""
        lately = self.now_ms - DAY_MS
        fans = self.followers[account]
        return {
            Account.connectors: len(self.follows[user] & fans),
            Account.shared_interests: len(self.engaged[user] & self.engaged[account]),
            Account.followers: len(fans),
            Account.followings: len(self.follows[account]),
            Account.follows_viewer: float(account in self.followers[user]),
            Account.new_followers: sum(self.since[fan, account] >= lately for fan in fans),
            Account.found_by: len(found),
            Account.best_place: max(1 / (1 + rank) for _, rank in found.values()),
            **{column: found.get(name, (np.nan,))[0] for name, column in SOURCE_SCORES.items()},
        }


def recommended(tables, user, lists, model, *, weights, shown=(), limit=10, excluded=frozenset()):
    """What the rules say, given what each source found: ``(id, score)``, best first."""
    out = {user} | excluded | tables.follows[user] | tables.dismissed(user)
    out |= tables.others(user, Relation.BLOCK, Relation.MUTE)
    found = defaultdict(dict)
    turns = []
    for place, (name, answers) in enumerate(lists.items()):
        left = 0
        for rank, (account, score) in enumerate(answers):
            if account not in out:
                left += 1
                found[account].setdefault(name, (score, rank))
                turns.append((left / weights.get(name, 1.0), place, account))
    order = list(dict.fromkeys(account for *_, account in sorted(turns)))[: params.RANK_CAP.default]
    scores = {one: probability(model, tables.features(user, one, found[one])) for one in order}
    order.sort(key=lambda one: -scores[one])
    tired = sorted(range(len(order)), key=lambda place: place + 5 * list(shown).count(order[place]))
    hidden = tables.by(user, Relation.BLOCK, Relation.MUTE)
    bad = {label.value for label in LABELS.values()}
    safe = [
        order[place]
        for place in tired
        if order[place] not in hidden and not tables.labels[order[place]] & bad
    ]
    return safe[:limit], scores


def probability(model, features):
    logit = model.intercept
    for column, weight, mean, scale in zip(INPUTS, model.coefficients, model.mean, model.scale, strict=True):
        value = np.log1p(features[column])
        logit += weight * ((mean if np.isnan(value) else value) - mean) / scale
    return np.float32(1 / (1 + np.exp(-logit)))


async def found_by(flow, viewer):
    request = await flow.requests.build(viewer)
    lists = {}
    for source in flow.candidate_sources(request):
        batch = await source.fetch(request)
        lists[source.name] = list(zip(batch.ids.tolist(), batch[Account.source_score].tolist(), strict=True))
    return lists


@pytest.mark.parametrize("days_ago", [0.0, 2.5])
async def test_the_flow_follows_its_rules(stores, world, follow_model, days_ago, rng):
    now_ms = stores.now_ms - int(days_ago * DAY_MS)
    tables = Tables(world, now_ms)
    flow = FollowRecs(stores, LogisticRanker(follow_model, INPUTS, Account.score))
    weights = {"popular": 0.5, "friends_of_friends": 3.0}
    settings = Params.of({params.WEIGHTS[name]: weight for name, weight in weights.items()})
    for user in rng.choice(stores.users.ids, 12, replace=False).tolist():
        dark = DebugOptions(skip_side_effects=True)
        viewer = PeopleRequest(user, request=Request(id="twin", now_ms=now_ms, params=settings, debug=dark))
        lists = await found_by(flow, viewer)
        expected, scores = recommended(tables, user, lists, follow_model, weights=weights)
        result = (await flow.process(viewer)).candidates
        assert result.ids.tolist() == expected
        assert result[Account.score].tolist() == pytest.approx([scores[one] for one in expected], rel=1e-4)

        shown = (*expected[:4], *expected[:2])
        flow.impressions.record(user, shown, now_ms)
        excluded = frozenset(expected[5:7])
        tired, _ = recommended(
            tables, user, lists, follow_model, weights=weights, shown=shown, limit=7, excluded=excluded
        )
        again = attrs.evolve(viewer, limit=7, excluded=excluded)
        assert (await flow.process(again)).candidates.ids.tolist() == tired
