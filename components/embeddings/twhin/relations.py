"""``relations_of``: the typed edges of a data set, as known before a moment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.datasets import Action, Dataset, Interaction
from components.embeddings.twhin.config import Relation

USER, POST, TOPIC = "user", "post", "topic"
ENGAGEMENTS = {
    "like": Action.FAV,
    "reply": Action.REPLY,
    "repost": Action.RETWEET,
    "click": Action.GOOD_CLICK,
}
"""Relations from users to posts and the action that each stands for; actions against a post are none."""
INTERACTIONS = {kind.name.lower() + "_user": kind for kind in Interaction}


def relations_of(dataset: Dataset, before_ms: int) -> list[Relation]:
    """Every kind of edge that the data set has, from what was known strictly before a moment.

    ``follow`` and interactions join users; ``like``, ``reply``, ``repost``, ``click`` and ``author`` users and
    posts; ``about`` posts and topics. Kinds without an edge are left out; an edge that occurs twice counts once.
    """
    known = dataset.as_of(before_ms)
    follows, posts, acts, towards = known.follows, known.posts, known.engagements, known.interactions
    relations = [_relation("follow", USER, USER, follows["follower_id"], follows["followee_id"])]
    for name, kind in INTERACTIONS.items():
        rows = towards.where(towards["kind"] == kind)
        relations.append(_relation(name, USER, USER, rows["actor_id"], rows["subject_id"]))
    for name, action in ENGAGEMENTS.items():
        rows = acts.where(acts["action"] == action)
        relations.append(_relation(name, USER, POST, rows["viewer_id"], rows["post_id"]))
    relations.append(_relation("author", USER, POST, posts["author_id"], posts["post_id"]))
    topical = posts.where(posts["topic"] >= 0)
    relations.append(_relation("about", POST, TOPIC, topical["post_id"], topical["topic"]))
    return [relation for relation in relations if len(relation.edges)]


def _relation(
    name: str, source: str, target: str, sources: NDArray[np.int64], targets: NDArray[np.int64]
) -> Relation:
    return Relation(name, source, target, np.unique(np.stack([sources, targets], axis=1), axis=0))
