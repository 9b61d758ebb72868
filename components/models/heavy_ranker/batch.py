"""Rows as tensors, with the label columns bound to the heads by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import attrs
import numpy as np
import torch

from mixer.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from components.models.heavy_ranker.config import RankerConfig
    from components.models.heavy_ranker.rows import Rows


class Inputs(NamedTuple):
    """Features of a batch; a tuple, because compilers and exporters see through it. Shapes as in ``Rows``."""

    continuous: Tensor
    binary: Tensor
    embeddings: Mapping[str, Tensor]
    ids: Mapping[str, Tensor]

    @classmethod
    def of(cls, rows: Rows) -> Inputs:
        """Shares memory with the rows where their dtype allows."""
        return cls(
            _tensor(rows.continuous),
            _tensor(rows.binary),
            {name: _tensor(array) for name, array in rows.embeddings.items()},
            {name: _tensor(array, np.int64) for name, array in rows.ids.items()},
        )


def _tensor(array: NDArray, kind: type = np.float32) -> Tensor:
    contiguous = np.ascontiguousarray(array, kind)
    # Arrow hands out read-only memory, of which torch warns; a tensor that is only read may share it.
    return torch.from_numpy(contiguous if contiguous.flags.writeable else contiguous.copy())


@attrs.frozen(eq=False)
class Labels:
    """Labels of a batch, (rows, heads), with the name of the head that each column belongs to."""

    values: Tensor
    heads: tuple[str, ...]

    @classmethod
    def bind(cls, rows: Rows, config: RankerConfig) -> Labels:
        """Picks each head's label column by its name; the order of the data's columns does not matter."""
        columns = [rows.labels[label] for label in config.label_names]
        return cls(torch.from_numpy(np.stack(columns, axis=1).astype(np.float32)), config.head_names)


def check_labels(available: Iterable[str], config: RankerConfig, where: str) -> None:
    """Refuses a data set whose labels are not exactly those that the heads learn or ignore on purpose.

    Raises:
        ConfigurationError: lists heads without a label, and labels without a head.
    """
    present, wanted = set(available), dict(zip(config.head_names, config.label_names, strict=True))
    problems = [
        f"head {head} learns label {label}, which the data does not hold"
        for head, label in wanted.items()
        if label not in present
    ]
    unused = sorted(present - set(wanted.values()) - set(config.sampling.ignored_labels))
    problems += [
        f"label {label} has no head; name it in sampling.ignored_labels to leave it out on purpose"
        for label in unused
    ]
    if problems:
        raise ConfigurationError(f"labels of {where}", problems)
