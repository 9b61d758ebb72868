"""What is wrong with data, all of it at once."""

from __future__ import annotations

from collections.abc import Iterable


class DataError(ValueError):
    """Data cannot be used as it is; ``problems`` lists everything that was found."""

    def __init__(self, source: str, problems: Iterable[str]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__(f"{source}: " + "; ".join(self.problems))
