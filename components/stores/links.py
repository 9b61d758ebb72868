"""``LinkIndex``: which posts link where."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import attrs
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HOST = re.compile(r"https?://(?:[^\s/?#@]*@)?([^\s/?#:@]+)", re.IGNORECASE)


@attrs.frozen(eq=False)
class LinkIndex:
    """Rows of posts by the host they link to, and by every domain above it.

    >>> LinkIndex.of(["see https://a.example.com/x", "example.com"]).rows_to(["example.com"]).tolist()
    [0]
    """

    rows: Mapping[str, NDArray[np.int64]]

    @classmethod
    def of(cls, texts: Iterable[str]) -> LinkIndex:
        """An index of the addresses in texts."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        for row, text in enumerate(texts):
            if "://" in text:
                for domain in {one for host in _HOST.findall(text) for one in domains(host)}:
                    found[domain].append(row)
        return cls({domain: np.array(rows, dtype=np.int64) for domain, rows in found.items()})

    def rows_to(self, hosts: Iterable[str]) -> NDArray[np.int64]:
        """Rows of posts that link to some hosts, or to subdomains of them; a post may come twice."""
        nothing = np.zeros(0, dtype=np.int64)
        return np.concatenate([nothing, *(self.rows.get(_plain(host), nothing) for host in hosts)])


def domains(host: str) -> list[str]:
    """A host and the domains above it.

    >>> domains("Shop.Example.com")
    ['shop.example.com', 'example.com', 'com']
    """
    parts = _plain(host).split(".")
    return [".".join(parts[at:]) for at in range(len(parts))]


def _plain(host: str) -> str:
    return host.casefold().strip(".")
