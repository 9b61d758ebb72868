"""The Higgs Twitter activity log: who retweeted, mentioned or answered whom, 1 to 7 July 2012.

Source: De Domenico, Lima, Mougel, Musolesi 2013; distributed by SNAP as ``higgs-activity_time.txt.gz``. A line is
``actor subject unix_seconds kind``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from components.datasets.dataset import Dataset, LoadReport
from components.datasets.errors import DataError
from components.datasets.files import find, integers, members, read, rows_of
from components.datasets.schema import Interaction
from components.datasets.table import Table

MEMBER = "higgs-activity_time.txt"
_KINDS = {"RT": Interaction.RETWEET, "MT": Interaction.MENTION, "RE": Interaction.REPLY}


def is_higgs(path: Path) -> bool:
    """True when the path holds the activity log, or is a text file with such lines."""
    if find(path, MEMBER) is not None:
        return True
    if not (path.is_file() and path.name.endswith((".txt", ".txt.gz"))):
        return False
    cells = read(path, path.name.removesuffix(".gz"))[:200].decode(errors="replace").split("\n")[0].split()
    return len(cells) == 4 and cells[3] in _KINDS


def load_higgs(path: Path) -> Dataset:
    """Users and their interactions, in time order; there are no posts and no follows.

    Raises:
        DataError: the file is missing, damaged or of another shape.
    """
    member = MEMBER if find(path, MEMBER) is not None else Path(members(path)[0]).name.removesuffix(".gz")
    rows, ragged = rows_of(path, member, 4, separator=" ")
    if not rows:
        raise DataError(
            f"{path}: {member}", ["expected lines of 'actor subject unix_seconds kind', got none"]
        )
    numbers, good = integers(rows, 3, f"{path}: {member}")
    kinds = np.array([_KINDS.get(row[3], -1) for row in rows], dtype=np.int8)
    known = good & (kinds >= 0)
    if not known.any():
        raise DataError(f"{path}: {member}", [f"expected a kind of {', '.join(_KINDS)}, got {rows[0][3]!r}"])
    selves = known & (numbers[:, 0] == numbers[:, 1])
    keep = known & ~selves
    actor, subject, seconds = numbers[keep].T
    interactions = Table(
        {"actor_id": actor, "subject_id": subject, "kind": kinds[keep], "time_ms": seconds * 1000}
    ).sort_by("time_ms")
    users = np.unique(np.concatenate([actor, subject]))
    report = LoadReport(
        {"users": len(users), "interactions": len(interactions)},
        {"malformed lines": ragged + int((~known).sum()), "actions on oneself": int(selves.sum())},
    )
    tables = {"users": Table({"user_id": users}), "interactions": interactions}
    return Dataset("higgs", tables, int(interactions["time_ms"][-1]) + 1, report)
