"""The settings of SimClusters; every default is the published constant."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import attrs
from attrs.validators import ge, gt, in_, instance_of, le, optional

if TYPE_CHECKING:
    from collections.abc import Iterable

PRESETS = resources.files("components.embeddings.simclusters") / "presets"


@attrs.frozen
class SimilarityConfig:
    """Which producers are alike.

    Args:
        min_followers: fewer, and an account is no producer.
        neighbours: most similar producers to keep.
        min_similarity: smaller cosines are dropped.
        squared: use ten times the square of the cosine, which favours strong ties.
    """

    min_followers: int = attrs.field(default=400, validator=[instance_of(int), ge(1)])
    neighbours: int = attrs.field(default=400, validator=[instance_of(int), ge(1)])
    min_similarity: float = attrs.field(default=0.0, validator=[ge(0.0), le(1.0)])
    squared: bool = False


@attrs.frozen
class Temperature:
    """A schedule in place of the fixed scale: differences are divided by ``start * ratio ** epoch``, epochs from 1."""

    start: float = attrs.field(default=100.0, validator=gt(0.0))
    ratio: float = attrs.field(default=0.95, validator=[gt(0.0), le(1.0)])


@attrs.frozen
class CommunityConfig:
    """Metropolis-Hastings over the similarity graph.

    Args:
        clusters: how many; without a number, one for ``producers_per_cluster`` producers (20 M / 145 k, rounded).
        epochs: at most so many passes.
        weight: what an edge within a cluster counts against a missing one.
        scale: factor on a difference of log likelihoods when it is accepted or not.
        temperature: a schedule that replaces ``scale``; off as published.
        min_acceptance: fewer accepted moves a producer end the optimisation.
        block: producers that move at once, seeing each other's previous clusters; 1 is strictly one by one. Small
            graphs use less, so that an epoch has at least 32 blocks.
    """

    clusters: int | None = attrs.field(default=None, validator=optional([instance_of(int), ge(1)]))
    producers_per_cluster: int = attrs.field(default=140, validator=[instance_of(int), ge(1)])
    epochs: int = attrs.field(default=3, validator=[instance_of(int), ge(0)])
    weight: float = attrs.field(default=10.0, validator=gt(0.0))
    scale: float = attrs.field(default=0.5, validator=gt(0.0))
    temperature: Temperature | None = None
    min_acceptance: float = attrs.field(default=0.01, validator=[ge(0.0), le(1.0)])
    block: int = attrs.field(default=256, validator=[instance_of(int), ge(1)])

    def clusters_of(self, producers: int) -> int:
        """How many clusters so many producers get."""
        wanted = self.clusters or max(1, round(producers / self.producers_per_cluster))
        return min(wanted, max(producers, 1))


@attrs.frozen
class InterestConfig:
    """What users care about.

    Args:
        min_producers: distinct followed or liked producers that a cluster needs to count for a user.
        clusters: most clusters a user; the light build has 20.
        favourite_half_life_days: of a like.
    """

    min_producers: int = attrs.field(default=2, validator=[instance_of(int), ge(1)])
    clusters: int = attrs.field(default=50, validator=[instance_of(int), ge(1)])
    favourite_half_life_days: float = attrs.field(default=100.0, validator=gt(0.0))


@attrs.frozen
class ProducerConfig:
    """What producers stand for, by the interests of those who follow or like them."""

    min_consumers: int = attrs.field(default=100, validator=[instance_of(int), ge(1)])
    min_cosine: float = attrs.field(default=0.01, validator=[ge(0.0), le(1.0)])
    clusters: int = attrs.field(default=60, validator=[instance_of(int), ge(1)])
    producers: int = attrs.field(default=300, validator=[instance_of(int), ge(1)])


@attrs.frozen
class PostConfig:
    """Vectors of posts, and the index from clusters to posts.

    Args:
        score: which score of InterestedIn an engagement adds, normalised by cluster.
        gate: the score that decides whether a cluster of the engager counts, from ``min_gate`` on.
        half_life_h: of an engagement.
        author: how much the author counts as the first to engage, when looked up; 0 as published, where a post that
            nobody engaged with cannot be found.
        max_engagement_age_h: later engagements with a post are ignored.
        clusters: most clusters a post, of values from ``min_value`` on.
        posts: most posts a cluster in the index, of values from ``min_indexed`` on.
    """

    score: Literal["follow", "favourite", "log_favourite"] = attrs.field(
        default="log_favourite", validator=in_(("follow", "favourite", "log_favourite"))
    )
    gate: Literal["follow", "favourite", "log_favourite"] = attrs.field(
        default="favourite", validator=in_(("follow", "favourite", "log_favourite"))
    )
    min_gate: float = attrs.field(default=0.3, validator=ge(0.0))
    half_life_h: float = attrs.field(default=8.0, validator=gt(0.0))
    author: float = attrs.field(default=0.0, validator=ge(0.0))
    max_engagement_age_h: float = attrs.field(default=72.0, validator=gt(0.0))
    clusters: int = attrs.field(default=50, validator=[instance_of(int), ge(1)])
    min_value: float = attrs.field(default=0.02, validator=ge(0.0))
    posts: int = attrs.field(default=1600, validator=[instance_of(int), ge(1)])
    min_indexed: float = attrs.field(default=0.001, validator=ge(0.0))


@attrs.frozen
class SimClustersConfig:
    """How to train and use SimClusters.

    Args:
        membership: score of a producer in its cluster. ``affiliation``: share of the weight of its edges that stays
            inside; ``overlap``: TP / (TP + FN + FP), where the cluster's non-neighbours count the mean weight.
    """

    similarity: SimilarityConfig = SimilarityConfig()
    communities: CommunityConfig = CommunityConfig()
    membership: Literal["affiliation", "overlap"] = attrs.field(
        default="affiliation", validator=in_(("affiliation", "overlap"))
    )
    interests: InterestConfig = InterestConfig()
    producers: ProducerConfig = ProducerConfig()
    posts: PostConfig = PostConfig()


def preset_names() -> tuple[str, ...]:
    """Configurations that ship with the package."""
    return tuple(sorted(Path(entry.name).stem for entry in PRESETS.iterdir() if entry.name.endswith(".yaml")))


def load_config(source: str | Path = "published", overrides: Iterable[str] = ()) -> SimClustersConfig:
    """Reads a preset or a YAML file, and applies ``key.path=value`` overrides in order.

    Raises:
        ConfigurationError: unknown preset or key, wrong type, or a value out of its bounds.
    """
    from components.models.heavy_ranker.load import load_as

    known = source in preset_names()
    return load_as(SimClustersConfig, str(PRESETS / f"{source}.yaml") if known else source, overrides)
