"""The stats of a flow: nine scopes with their original names, and hydration.

A request leaves one row of timestamps and counts; rows are folded into counters and distributions with numpy
when somebody reads the stats or a thousand are waiting, never on the way to an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixer.trace import STAGES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mixer.run import FilterSummary, Run
    from mixer.stats import StatsReceiver
    from mixer.verdicts import PredicateResult

FOLD_AT = 1000
_LISTS = frozenset(STAGES) - {"update_target", "target_eligibility"}


class FlowStats:
    """Writes the scopes of one flow below ``stats``.

    Every scope has ``requests``, ``success``, ``failures``, ``failures/<Class>`` and ``latency_ms``; stages that
    answer a list also ``results``, ``results_stat``, ``empty``, ``non_empty``; ``target_eligibility`` has
    ``valid``, ``invalid``, ``has_reasons`` and ``reasons/<reason>``, and so have the two filters.
    ``additional_candidates`` has sizes only. ``num_batches`` and ``num_batches_stats`` sit on the flow itself.
    """

    def __init__(self, stats: StatsReceiver) -> None:
        self.root = stats
        self._pending: list[Run] = []
        stats.register_source(self.fold)

    def completed(self, run: Run) -> None:
        """A request went through all stages."""
        self._pending.append(run)
        # A traced run refers to its batches: do not keep those waiting.
        if len(self._pending) >= FOLD_AT or run.tracing or run.captured is not None:
            self.fold()

    def ineligible(self, run: Run, result: PredicateResult) -> None:
        """A request ended at eligibility: an empty success."""
        marks = run.marks
        self._stages_so_far(marks, run.counts)
        scope = self.root.scope("target_eligibility")
        scope.counter("invalid").incr()
        for reason in result.reasons:
            scope.counter("has_reasons").incr()
            scope.scope("reasons").counter(reason).incr()
        self._times("overall", np.array([marks[-1] - marks[0]]))
        self._sizes("overall", np.zeros(1, dtype=np.int64))

    def failed(self, run: Run, now_ns: int, error: BaseException) -> None:
        """A stage raised: the stages before it succeeded."""
        marks, counts = run.marks, run.counts
        self._stages_so_far(marks, counts)
        self._components(run)
        if len(counts) > 1:
            self.root.scope("target_eligibility").counter("valid").incr()
        stage = STAGES[min(len(counts), len(STAGES) - 1)]
        for name, start in ((stage, marks[-1]), ("overall", marks[0])):
            scope = self.root.scope(name)
            scope.counter("requests").incr()
            scope.counter("failures").incr()
            scope.scope("failures").counter(type(error).__name__).incr()
            scope.distribution("latency_ms").add((now_ns - start) / 1e6)

    def _filter(self, stage: str, summaries: Sequence[FilterSummary]) -> None:
        scope = self.root.scope(stage)
        scope.counter("valid").incr(sum(summary.kept for summary in summaries))
        scope.counter("invalid").incr(sum(summary.dropped for summary in summaries))
        for summary in summaries:
            for reason, count in summary.reasons.items():
                scope.counter("has_reasons").incr(count)
                scope.scope("reasons").counter(reason).incr(count)

    def quality_factor(self, value: float) -> None:
        """One observation of the quality factor, stored times 10,000 as the original does."""
        scope = self.root.scope("overall")
        scope.counter("quality_factor_counts").incr()
        scope.distribution("quality_factor_stat").add(value * 10_000)

    def fold(self) -> None:
        """Fold waiting rows into counters and distributions."""
        rows, self._pending = self._pending, []
        if not rows:
            return
        marks = np.array([row.marks for row in rows], dtype=np.int64)
        counts = np.array([row.counts for row in rows], dtype=np.int64)
        self._stages_of(marks, counts)
        self.root.scope("target_eligibility").counter("valid").incr(len(rows))
        self._times("overall", marks[:, -1] - marks[:, 0])
        self._sizes("overall", counts[:, -1])
        self._sizes("additional_candidates", np.array([row.additional for row in rows], dtype=np.int64))
        self._filter("pre_ranker_filter", [row.filtered for row in rows])
        self._filter("filter_and_take", [row.validated for row in rows])
        batches = np.array([row.batches for row in rows], dtype=np.int64)
        self.root.counter("num_batches").incr(int(batches.sum()))
        self.root.distribution("num_batches_stats").extend(batches)
        for row in rows:
            self._components(row)

    def _stages_so_far(self, marks: Sequence[int], counts: Sequence[int]) -> None:
        self._stages_of(np.array([marks[: len(counts) + 1]]), np.array([list(counts)]))

    def _stages_of(self, marks: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
        for index in range(1, counts.shape[1]):  # update_target has no scope of its own
            name = STAGES[index]
            self._times(name, marks[:, index + 1] - marks[:, index])
            if name in _LISTS:
                self._sizes(name, counts[:, index])

    def _times(self, name: str, nanoseconds: NDArray[np.int64]) -> None:
        scope = self.root.scope(name)
        scope.counter("requests").incr(len(nanoseconds))
        scope.counter("success").incr(len(nanoseconds))
        scope.distribution("latency_ms").extend(nanoseconds / 1e6)

    def _sizes(self, name: str, sizes: NDArray[np.int64]) -> None:
        scope = self.root.scope(name)
        filled = sizes[sizes > 0]
        scope.counter("results").incr(int(sizes.sum()))
        scope.counter("empty").incr(len(sizes) - len(filled))
        scope.counter("non_empty").incr(len(filled))
        scope.distribution("results_stat").extend(filled)

    def _components(self, run: Run) -> None:
        for name, start, end, rows, failure in run.observed:
            scope = self.root.scope(name)
            scope.counter("requests").incr()
            scope.distribution("latency_ms").add((end - start) / 1e6)
            if failure:
                scope.counter("failures").incr()
                scope.scope("failures").counter(failure).incr()
                continue
            scope.counter("success").incr()
            if rows >= 0:
                scope.counter("results").incr(rows)
                scope.counter("non_empty" if rows else "empty").incr()
        for one in run.degradations:
            scope = self.root.scope("degraded", one.component)
            scope.counter(one.cause.value).incr()
            if one.error:
                scope.scope("failures").counter(one.error).incr()
