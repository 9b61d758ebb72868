"""Every error that mixer raises on purpose.

::

    MixerError
    ├── ConfigurationError        a flow, product, registry or param set is wired wrongly; lists every problem
    ├── CandidateError            a batch was used wrongly
    │   ├── UnknownColumnError    the key is not a column of the candidate type
    │   ├── AbsentColumnError     a column without a default was read before anything wrote it
    │   ├── ColumnTypeError       wrong dtype
    │   └── ColumnShapeError      wrong length or wrong row shape
    ├── ContractError             a component answered something that its stage kind forbids
    ├── TargetTypeError           a flow was given something that is not a Target
    ├── DeadlineExceededError     the request ran out of time where no partial answer is honest
    ├── ParamError                unknown, mistyped or out-of-bounds parameter values; lists every problem
    ├── CursorError               a page cursor was damaged or belongs elsewhere
    ├── UnknownProductError       no product has the name that was asked for
    ├── ReplayError               a capture cannot be read, or a replay did not reproduce it
    └── MissingExtraError         an optional dependency is not installed (also an ImportError)

Exceptions raised inside a component are never wrapped: they reach the caller as they are, with a note that
names flow, stage and component.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class MixerError(Exception):
    """Root of all errors raised by mixer."""


class _ProblemListError(MixerError):
    def __init__(self, subject: str, problems: Iterable[str]) -> None:
        self.subject = subject
        self.problems = tuple(problems)
        lines = "".join(f"\n  - {problem}" for problem in self.problems)
        super().__init__(f"{subject}: {len(self.problems)} problem(s){lines}")


class ConfigurationError(_ProblemListError):
    """Something is wired wrongly; ``problems`` lists all of it, not only the first."""


class ParamError(_ProblemListError):
    """Parameter values are unknown, mistyped or out of bounds; ``problems`` lists all of them."""


class CandidateError(MixerError):
    """A candidate batch was built or used wrongly."""


class UnknownColumnError(CandidateError, KeyError):
    """The key is not a column of the candidate type."""

    def __str__(self) -> str:
        return str(self.args[0])


class AbsentColumnError(CandidateError, KeyError):
    """A column without a default was read before anything wrote it."""

    def __str__(self) -> str:
        return str(self.args[0])


class ColumnTypeError(CandidateError, TypeError):
    """An array cannot be stored in a column without changing its values' kind."""


class ColumnShapeError(CandidateError, ValueError):
    """An array has the wrong number of rows or the wrong row shape."""


class ContractError(MixerError):
    """A component answered something that its stage kind forbids."""

    def __init__(self, component: str, expected: str, got: str) -> None:
        self.component = component
        super().__init__(f"{component}: expected {expected}, got {got}")


class TargetTypeError(MixerError, TypeError):
    """A flow was given something that is not a Target."""


class DeadlineExceededError(MixerError, TimeoutError):
    """The request ran out of time at a stage where no partial answer is honest."""


class CursorError(MixerError, ValueError):
    """A page cursor is damaged, changed, or was made for something else."""

    def __init__(self, product: str, got: str) -> None:
        super().__init__(f"cursor: expected one that {product} gave out, got {got}")


class UnknownProductError(MixerError, LookupError):
    """No product has the name that was asked for."""


class ReplayError(MixerError):
    """A capture cannot be read, or a replay did not reproduce it."""


class MissingExtraError(MixerError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs an optional dependency; install it with: pip install 'mixer[{extra}]'"
        )
