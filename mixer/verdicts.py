"""The answers of predicates: one result for a target, one verdict a row for candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs
import numpy as np

from mixer.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

ERROR_DROPPED = "error_dropped"
"""Policy DROP: the predicate failed, so the row goes."""


@attrs.frozen
class PredicateResult:
    """Valid, or invalid for reasons. Invalid without reasons is legal. Truthy when valid."""

    valid: bool
    reasons: frozenset[str] = frozenset()

    VALID: ClassVar[PredicateResult]

    @classmethod
    def invalid(cls, *reasons: str) -> PredicateResult:
        """The target is not eligible, for these reasons."""
        return cls(valid=False, reasons=frozenset(reasons))

    def __bool__(self) -> bool:
        return self.valid


PredicateResult.VALID = PredicateResult(valid=True)


class Verdicts:
    """One verdict a row: a keep mask, and for each dropped row the set of its reasons.

    Args:
        keep: ``(n,)`` booleans.
        reasons: up to 64 reason names.
        bits: ``(n,)`` bit ``i`` set when ``reasons[i]`` speaks against the row; None when there is at most one
            reason, which then belongs to every dropped row.
    """

    __slots__ = ("bits", "keep", "reasons")

    def __init__(
        self, keep: NDArray[np.bool_], reasons: tuple[str, ...] = (), bits: NDArray[np.uint64] | None = None
    ) -> None:
        if keep.dtype != np.bool_ or keep.ndim != 1:
            raise ContractError("verdicts", "an (n,) boolean mask", f"{keep.dtype} of shape {keep.shape}")
        if bits is None and len(reasons) > 1:
            raise ContractError("verdicts", "bits that tell several reasons apart", "none")
        self.keep = keep
        self.reasons = reasons
        self.bits = bits

    @classmethod
    def keep_where(cls, mask: NDArray[np.bool_], reason: str) -> Verdicts:
        """Keep rows whose mask is true; the others go for ``reason``."""
        return cls(mask, (reason,))

    @classmethod
    def keep_all(cls, length: int) -> Verdicts:
        """Nothing speaks against any row."""
        return cls(np.ones(length, dtype=np.bool_))

    @classmethod
    def drop_all(cls, length: int, *reasons: str) -> Verdicts:
        """Every row goes, for all the reasons."""
        mask = np.zeros(length, dtype=np.bool_)
        bits = np.full(length, (1 << len(reasons)) - 1, dtype=np.uint64) if len(reasons) > 1 else None
        return cls(mask, reasons, bits)

    @classmethod
    def first_match(cls, rules: Mapping[str, NDArray[np.bool_]]) -> Verdicts:
        """Drop rows that match any rule; each dropped row carries every rule that matched."""
        reasons = tuple(rules)
        masks = list(rules.values())
        bits = np.zeros(len(masks[0]), dtype=np.uint64)
        for index, mask in enumerate(masks):
            bits |= mask.astype(np.uint64) << np.uint64(index)
        return cls(bits == 0, reasons, bits)

    def __len__(self) -> int:
        return len(self.keep)

    def _mask_of_reasons(self) -> NDArray[np.uint64]:
        if self.bits is not None:
            return self.bits
        return np.where(self.keep, 0, len(self.reasons)).astype(np.uint64)  # one reason at most: bit 0

    def scattered(self, length: int, where: NDArray[np.bool_]) -> Verdicts:
        """Verdicts on a subset, spread over the whole batch; rows outside ``where`` are kept."""
        keep = np.ones(length, dtype=np.bool_)
        keep[where] = self.keep
        bits = np.zeros(length, dtype=np.uint64)
        bits[where] = self._mask_of_reasons()
        return Verdicts(keep, self.reasons, bits)

    @staticmethod
    def united(keep: NDArray[np.bool_], parts: Iterable[Verdicts]) -> Verdicts:
        """A new mask with, for the rows it drops, all reasons of all parts."""
        reasons: dict[str, int] = {}
        bits = np.zeros(len(keep), dtype=np.uint64)
        for part in parts:
            own = part._mask_of_reasons()
            for index, reason in enumerate(part.reasons):
                target = reasons.setdefault(reason, len(reasons))
                bits |= (own >> np.uint64(index) & np.uint64(1)) << np.uint64(target)
        bits[keep] = 0
        return Verdicts(keep, tuple(reasons), bits)

    def counts(self, kept: int | None = None) -> dict[str, int]:
        """How many rows each reason spoke against; pass how many rows are kept if that is known."""
        if self.bits is None:
            dropped = len(self.keep) - (int(np.count_nonzero(self.keep)) if kept is None else kept)
            return {self.reasons[0]: dropped} if self.reasons and dropped else {}
        if not self.bits.any():
            return {}
        ones = [
            int(np.count_nonzero(self.bits >> np.uint64(i) & np.uint64(1))) for i in range(len(self.reasons))
        ]
        return {reason: count for reason, count in zip(self.reasons, ones, strict=True) if count}

    def reasons_of(self, row: int) -> tuple[str, ...]:
        """Every reason against one row; empty for a kept one."""
        bits = int(self._mask_of_reasons()[row])
        return tuple(reason for index, reason in enumerate(self.reasons) if bits >> index & 1)
