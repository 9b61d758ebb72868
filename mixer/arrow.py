"""Candidates to and from Arrow; needs the ``arrow`` extra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mixer.candidates import Candidates
from mixer.columns import Candidate
from mixer.errors import ColumnTypeError, MissingExtraError, UnknownColumnError

if TYPE_CHECKING:
    from mixer.columns import Column

C = TypeVar("C", bound=Candidate)


def _pyarrow() -> Any:
    try:
        import pyarrow as pa  # pyright: ignore[reportMissingTypeStubs] - it ships none
    except ImportError as error:
        raise MissingExtraError("Arrow conversion", "arrow") from error
    return pa


def to_arrow(candidates: Candidates[Any]) -> Any:
    """A ``pyarrow.Table`` of the written columns. 2-D columns become fixed-size lists; booleans are packed."""
    pa = _pyarrow()
    arrays = [_to_array(pa, key, candidates) for key in candidates.present]
    return pa.table(arrays, names=[key.name for key in candidates.present])


def _to_array(pa: Any, key: Column[Any, Any], candidates: Candidates[Any]) -> Any:
    values = candidates[key]
    if len(key.shape) > 1:
        raise ColumnTypeError(
            f"column {key!r}: expected rows of at most one dimension, got shape {key.shape}"
        )
    if key.shape:
        flat = pa.array(np.ascontiguousarray(values).reshape(-1))
        return pa.FixedSizeListArray.from_arrays(flat, key.shape[0])
    return pa.array(values)


def from_arrow(kind: type[C], data: Any) -> Candidates[C]:
    """A batch from an Arrow table or stream.

    Raises:
        UnknownColumnError: the data has a column that ``kind`` lacks.
        ColumnTypeError: values are missing (null) or of another kind.
    """
    pa = _pyarrow()
    table = pa.table(data) if hasattr(data, "__arrow_c_stream__") else data
    known = {key.name: key for key in kind.columns}
    columns: dict[Column[Any, Any], object] = {}
    for name in table.column_names:
        if name not in known:
            raise UnknownColumnError(
                f"{name!r} is not a column of {kind.__name__}; its columns: {', '.join(known)}"
            )
        key, chunk = known[name], table.column(name).combine_chunks()
        if chunk.null_count:
            raise ColumnTypeError(f"column {key!r}: expected no nulls, got {chunk.null_count}")
        if key.shape:
            chunk = chunk.flatten()
        values = chunk.to_numpy(zero_copy_only=False)
        columns[key] = values.reshape(-1, *key.shape) if key.shape else values
    return Candidates(kind, columns)
