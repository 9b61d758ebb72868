"""What a feature is, and sets of features that are computed together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Literal, Protocol

import attrs
import numpy as np
from numpy.typing import NDArray

from components.models.heavy_ranker.config import FeatureConfig, IdConfig, NormConfig
from components.models.heavy_ranker.rows import Rows

Subject = Literal["viewer", "post", "author", "pair", "similarity", "time"]
Kind = Literal["continuous", "binary", "id"]


@attrs.frozen
class Feature:
    """One named input of a ranker.

    Args:
        name: unique in its set.
        of: what it describes.
        reads: tables and columns of a data set that it comes from.
        kind: ``continuous`` is float32, NaN where missing; ``binary`` is 0 or 1 and never missing; ``id`` is int64,
            -1 where missing.
        table: the learned embedding of an ``id``.
    """

    name: str
    of: Subject
    reads: tuple[str, ...]
    kind: Kind = "continuous"
    table: IdConfig | None = None

    def __attrs_post_init__(self) -> None:
        if (self.table is None) == (self.kind == "id"):
            raise ValueError(f"feature {self.name}: ids, and only ids, have a table; got {self.kind}")


@attrs.frozen(eq=False)
class Asked:
    """Pairs whose features are wanted, grouped by request: one request while serving, many while training.

    Shapes: ``viewer`` (requests,) user rows; ``now_ms`` (requests,); ``request`` (pairs,) the request of each pair;
    ``post`` (pairs,) post rows; ``given`` name -> (pairs,) what the candidates of a flow bring along. Nothing at or
    after a request's moment may enter its features.
    """

    viewer: NDArray[np.int64]
    now_ms: NDArray[np.int64]
    request: NDArray[np.int64]
    post: NDArray[np.int64]
    given: Mapping[str, NDArray[Any]] = attrs.field(factory=dict)

    @classmethod
    def one(
        cls,
        viewer: int,
        now_ms: int,
        post: NDArray[np.integer],
        given: Mapping[str, NDArray[Any]] | None = None,
    ) -> Asked:
        """The candidates of one request."""
        rows = np.asarray(post, np.int64)
        request = np.zeros(len(rows), np.int64)
        return cls(np.array([viewer]), np.array([now_ms]), request, rows, given or {})

    def __len__(self) -> int:
        return len(self.post)

    @property
    def moments(self) -> NDArray[np.int64]:
        """The moment of each pair: (pairs,), or (1,) when all are of one request."""
        return self.now_ms if len(self.now_ms) == 1 else self.now_ms[self.request]


class FeatureGroup(Protocol):
    """Features that are computed together."""

    @property
    def features(self) -> tuple[Feature, ...]: ...

    def compute(self, asked: Asked) -> Sequence[NDArray[Any]]:
        """A column for each feature: (pairs,), or (requests,) where it describes the viewer or the time."""
        ...


@attrs.frozen(eq=False)
class FeatureSet:
    """All inputs of a ranker, in the order of its columns.

    Raises:
        ValueError: two features share a name.
    """

    groups: tuple[FeatureGroup, ...]

    def __attrs_post_init__(self) -> None:
        names = [feature.name for feature in self]
        if len(set(names)) != len(names):
            raise ValueError(f"features: expected distinct names, got {sorted(names)}")

    def __iter__(self) -> Iterator[Feature]:
        return (feature for group in self.groups for feature in group.features)

    def names(self, kind: Kind) -> tuple[str, ...]:
        """Names of the features of one kind, in the order of their columns."""
        return tuple(feature.name for feature in self if feature.kind == kind)

    @property
    def config(self) -> FeatureConfig:
        """The input layer of a ranker that reads this set."""
        ids = {feature.name: feature.table for feature in self if feature.table is not None}
        # Recap's momentum of 0.01 needs many more steps than a laptop's data give.
        norm = NormConfig(momentum=0.1)
        return FeatureConfig(
            len(self.names("continuous")), len(self.names("binary")), ids=ids, missing="mask", norm=norm
        )

    @property
    def fingerprint(self) -> str:
        """Changes with every change of the declaration; stored with what was trained on it."""
        return blake2b(repr(tuple(self)).encode(), digest_size=8).hexdigest()

    def warm_up(self, now_ms: int) -> None:
        """Answers a request without candidates, so that none with some waits for what is indexed at first use."""
        self.rows(Asked.one(0, now_ms, np.zeros(0, np.int64)))

    def rows(self, asked: Asked) -> Rows:
        """The features of the pairs, computed once a request where they do not depend on the post."""
        dense: dict[str, list[NDArray[np.float32]]] = {"continuous": [], "binary": []}
        ids: dict[str, NDArray[np.int64]] = {}
        for group in self.groups:
            for feature, values in zip(group.features, group.compute(asked), strict=True):
                column = values[asked.request] if feature.of in ("viewer", "time") else values
                if feature.kind == "id":
                    ids[feature.name] = column.astype(np.int64)[:, None]
                else:
                    dense[feature.kind].append(column.astype(np.float32))
        return Rows(_joined(dense["continuous"], len(asked)), _joined(dense["binary"], len(asked)), ids=ids)


def _joined(columns: list[NDArray[np.float32]], rows: int) -> NDArray[np.float32]:
    return np.stack(columns, axis=1) if columns else np.empty((rows, 0), np.float32)
