"""From a model's logits to probabilities that come true: one calibrator a head, fitted on the slice after training.

Never fit on training rows, and refit for every checkpoint. All calibrators are strictly increasing, so they change
no ranking within a head.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, Self

import attrs
import numpy as np
from scipy import optimize
from scipy.special import expit, log_expit, logit

from components.files import atomic_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

Method = Literal["auto", "identity", "bias", "platt", "beta", "isotonic"]

FEW_POSITIVES = 200
MANY_POSITIVES = 10_000
EDGE = 1e-7


class Calibrator(Protocol):
    """A strictly increasing map from logit to probability."""

    kind: ClassVar[str]

    def probability(self, logits: Vector) -> Vector: ...


@attrs.frozen
class Identity:
    """The model's own probability."""

    kind: ClassVar[str] = "identity"

    def probability(self, logits: Vector) -> Vector:
        return expit(logits)


@attrs.frozen
class Bias:
    """Adds ``b`` to the logit: all that fewer than 200 positives can support."""

    b: float
    kind: ClassVar[str] = "bias"

    def probability(self, logits: Vector) -> Vector:
        return expit(logits + self.b)

    @classmethod
    def fit(cls, logits: Vector, labels: Vector, weights: Vector, prior: float = 20.0) -> Self:
        """Moves the mean prediction to the observed rate, shrunk towards no change.

        Args:
            prior: pseudo-positives, both observed and predicted; the correction factor is
                ``(observed + prior) / (predicted + prior)``.
        """
        predicted = float(weights @ expit(logits))
        return cls(
            _bias(logits, weights, predicted * (float(weights @ labels) + prior) / (predicted + prior))
        )

    def towards(self, logits: Vector, weights: Vector, positives: float) -> Self:
        """The same with a sum of probabilities of so many."""
        return type(self)(self.b + _bias(logits + self.b, weights, positives))


@attrs.frozen
class Platt:
    """``sigmoid(a * logit + b)``, fitted to Platt's smoothed targets."""

    a: float = attrs.field(validator=attrs.validators.gt(0.0))
    b: float
    kind: ClassVar[str] = "platt"

    def probability(self, logits: Vector) -> Vector:
        return expit(self.a * logits + self.b)

    @classmethod
    def fit(cls, logits: Vector, labels: Vector, weights: Vector) -> Self:
        positives = float(weights @ labels)
        negatives = float(weights.sum()) - positives
        high, low = (positives + 1.0) / (positives + 2.0), 1.0 / (negatives + 2.0)
        targets = np.where(labels > 0.5, high, low)
        a, b = _fit_logit(np.stack([logits], axis=1), targets, weights, start=[1.0, 0.0])
        return cls(a, b)

    def towards(self, logits: Vector, weights: Vector, positives: float) -> Self:
        """The same slope with a sum of probabilities of so many."""
        return type(self)(self.a, self.b + _bias(self.a * logits + self.b, weights, positives))


@attrs.frozen
class Beta:
    """``logit(q) = a ln p - b ln(1 - p) + c``: Platt for scores that are skewed to one end."""

    a: float = attrs.field(validator=attrs.validators.ge(0.0))
    b: float = attrs.field(validator=attrs.validators.ge(0.0))
    c: float
    kind: ClassVar[str] = "beta"

    def probability(self, logits: Vector) -> Vector:
        return expit(self.a * log_expit(logits) - self.b * log_expit(-logits) + self.c)

    @classmethod
    def fit(cls, logits: Vector, labels: Vector, weights: Vector) -> Self:
        design = np.stack([log_expit(logits), -log_expit(-logits)], axis=1)
        a, b, c = _fit_logit(design, labels, weights, start=[1.0, 1.0, 0.0])
        return cls(a, b, c)


@attrs.frozen
class Isotonic:
    """Piecewise linear through the centres of the pool-adjacent-violators blocks.

    Interpolation, and the model's own slope beyond the ends, keep it strictly increasing: a step function would tie
    rows that the model tells apart.
    """

    knots: tuple[float, ...]
    levels: tuple[float, ...]
    kind: ClassVar[str] = "isotonic"

    def probability(self, logits: Vector) -> Vector:
        return expit(self._logits(logits))

    def _logits(self, logits: Vector) -> Vector:
        knots, levels = np.asarray(self.knots), np.asarray(self.levels)
        inside = np.interp(logits, knots, levels)
        return inside + np.minimum(logits - knots[0], 0.0) + np.maximum(logits - knots[-1], 0.0)

    @classmethod
    def fit(cls, logits: Vector, labels: Vector, weights: Vector) -> Self:
        order = np.argsort(logits, kind="stable")
        z, y, w = logits[order], labels[order], weights[order]
        z, start = np.unique(z, return_index=True)
        mass = np.add.reduceat(w, start)
        rate = np.add.reduceat(w * y, start) / mass
        blocks = optimize.isotonic_regression(rate, weights=mass).blocks[:-1]
        total = np.add.reduceat(mass, blocks)
        centres = np.add.reduceat(mass * z, blocks) / total
        # Half a row of the opposite label keeps the outer blocks away from certainty.
        rates = (np.add.reduceat(mass * rate, blocks) + 0.5) / (total + 1.0)
        rates = np.maximum.accumulate(rates)
        levels = logit(np.clip(rates, EDGE, 1.0 - EDGE)) + 1e-6 * (centres - centres[0])
        between = cls(tuple(centres.tolist()), tuple(levels.tolist()))
        # Rows crowd at one end of a block, so that lines between the centres move the mean, which is put back.
        levels += _bias(between._logits(logits), weights, float(weights @ labels))
        return attrs.evolve(between, levels=tuple(levels.tolist()))


KINDS: Mapping[str, type] = {kind.kind: kind for kind in (Identity, Bias, Platt, Beta, Isotonic)}
_FITTERS: Mapping[str, Callable[[Vector, Vector, Vector], Calibrator]] = {
    "bias": Bias.fit,
    "platt": Platt.fit,
    "beta": Beta.fit,
    "isotonic": Isotonic.fit,
}


def fit_calibrator(
    logits: Vector, labels: Vector, weights: Vector | None = None, method: Method = "auto"
) -> Calibrator:
    """Fits one head.

    Args:
        logits, labels, weights: ``(rows,)``; the rows are not down-sampled, or weighted back.
        method: ``auto`` takes what the number of positives supports: ``bias`` below 200, ``platt`` below 10,000,
            else ``isotonic``.
    """
    z, y = np.asarray(logits, np.float64), np.asarray(labels, np.float64)
    w = np.ones(len(z)) if weights is None else np.asarray(weights, np.float64)
    if not z.shape == y.shape == w.shape:
        raise ValueError(
            f"expected logits, labels and weights of one shape, got {z.shape}, {y.shape}, {w.shape}"
        )
    if not np.isfinite(z).all():
        raise ValueError("logits: expected finite values")
    kept = w > 0
    z, y, w = z[kept], y[kept], w[kept]
    chosen = _supported(int(y.sum()), int((1.0 - y).sum())) if method == "auto" else method
    return Identity() if chosen == "identity" or not len(z) else _FITTERS[chosen](z, y, w)


def pooled_positives(observed: Vector, predicted: Vector) -> Vector:
    """How many positives to expect of each head, by its own count and by what became of the others.

    What moves one head's rate from training to now (a season, another source of candidates) often moves all. So the
    logarithm of observed to predicted is taken as normal around a common shift, and each head's own is shrunk to it
    by how few positives it has: with a handful it is what all heads say, with thousands its own.

    Args:
        observed, predicted: ``(heads,)`` positives, and sums of probabilities; two heads or more.

    Source: the random-effects estimate of DerSimonian and Laird (1986), with a Poisson variance a head.
    """
    own = np.log((observed + 0.5) / (predicted + 0.5))
    precision = observed + 0.5
    common = precision @ own / precision.sum()
    spread = precision @ (own - common) ** 2 - (len(own) - 1)
    scale = precision.sum() - precision @ precision / precision.sum()
    between = max(spread / scale, 0.0)
    trust = 1.0 / (1.0 / precision + between)
    common = trust @ own / trust.sum()
    return predicted * np.exp(common + (own - common) * (1.0 - trust / precision))


def _bias(logits: Vector, weights: Vector, positives: float) -> float:
    """What to add to logits whose probabilities shall sum to so many."""
    # A head cannot be asked for more than every row; half a row stays on either side.
    half = 0.5 * weights.min()
    wanted = float(np.clip(positives, half, weights.sum() - half))
    return float(optimize.brentq(lambda b: weights @ expit(logits + b) - wanted, -60.0, 60.0))  # pyright: ignore[reportArgumentType]  # the stubs do not know the plain float answer


def _supported(positives: int, negatives: int) -> str:
    fewer = min(positives, negatives)
    if fewer < FEW_POSITIVES:
        return "bias"
    return "platt" if fewer < MANY_POSITIVES else "isotonic"


@attrs.frozen
class Calibration:
    """Calibrators by head, in the order of the model's outputs."""

    heads: Mapping[str, Calibrator]

    def probabilities(self, logits: NDArray[np.floating]) -> NDArray[np.float32]:
        """Calibrated probabilities, ``(rows, heads)`` like the logits."""
        if logits.ndim != 2 or logits.shape[1] != len(self.heads):
            raise ValueError(f"logits: expected shape (rows, {len(self.heads)}), got {logits.shape}")
        exact = np.asarray(logits, np.float64)
        columns = [head.probability(exact[:, place]) for place, head in enumerate(self.heads.values())]
        return np.stack(columns, axis=1).astype(np.float32)

    @classmethod
    def fit(
        cls,
        heads: Sequence[str],
        logits: NDArray[np.floating],
        labels: NDArray[np.floating],
        weights: NDArray[np.floating] | None = None,
        method: Method = "auto",
    ) -> Self:
        """Fits every head; ``logits`` and ``labels`` are ``(rows, heads)``, ``weights`` is ``(rows,)``.

        With ``auto``, heads with less than 10,000 positives learn from the others how far rates have moved: see
        :func:`pooled_positives`.
        """
        z, y = np.asarray(logits, np.float64), np.asarray(labels, np.float64)
        columns = zip(heads, z.T, y.T, strict=True)
        found = {head: fit_calibrator(z, y, weights, method) for head, z, y in columns}  # pyright: ignore[reportArgumentType]
        if method != "auto" or len(found) < 2 or not len(z):
            return cls(found)
        w = np.ones(len(z)) if weights is None else np.asarray(weights, np.float64)
        kept = w > 0
        z, y, w = z[kept], y[kept], w[kept]
        wanted = pooled_positives(w @ y, w @ expit(z))
        for place, (head, calibrator) in enumerate(found.items()):
            if isinstance(calibrator, Bias | Platt):
                found[head] = calibrator.towards(z[:, place], w, float(wanted[place]))
        return cls(found)

    @classmethod
    def identity(cls, heads: Sequence[str]) -> Self:
        """Leaves every head as the model says."""
        return cls(dict.fromkeys(heads, Identity()))

    def save(self, path: str | Path) -> None:
        """Writes JSON; it appears whole or not at all."""
        plain = {name: {"kind": head.kind, **attrs.asdict(head)} for name, head in self.heads.items()}  # pyright: ignore[reportArgumentType]
        with atomic_file(path) as temporary:
            temporary.write_text(json.dumps(plain, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what ``save`` wrote.

        Raises:
            ValueError: an entry is not a known calibrator.
        """
        heads = {}
        for name, entry in json.loads(path.read_text(encoding="utf-8")).items():
            kind = entry.pop("kind", None)
            if kind not in KINDS:
                raise ValueError(f"{path}: head {name}: expected one of {sorted(KINDS)}, got {kind!r}")
            heads[name] = KINDS[kind](
                **{key: tuple(v) if isinstance(v, list) else v for key, v in entry.items()}
            )
        return cls(heads)


def _fit_logit(
    design: NDArray[np.float64], targets: Vector, weights: Vector, start: list[float]
) -> list[float]:
    """Weighted maximum likelihood of ``sigmoid(design @ slopes + intercept)`` with slopes that are not negative."""
    columns = np.column_stack([design, np.ones(len(design))])
    total = weights.sum()

    def objective(theta: Vector) -> tuple[float, Vector]:
        z = columns @ theta
        loss = weights @ (np.logaddexp(0.0, z) - targets * z)
        return float(loss / total), columns.T @ (weights * (expit(z) - targets)) / total

    bounds = [(1e-6, None)] * design.shape[1] + [(None, None)]
    options = {"ftol": 1e-14, "gtol": 1e-9, "maxiter": 500}
    found = optimize.minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return [float(value) for value in found.x]
