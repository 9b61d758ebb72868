"""libsvm (``1 INDEX:1 ...``) and libffm (``1 FIELD:INDEX:1 ...``) click logs.

libsvm does not say which field an index belongs to. Where every line is equally long, the place in the line does. Where
some lines are shorter, the full lines tell each index's place; if they contradict each other, or know too few of the
indices, the line is one field of many values.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from components.models.heavy_ranker.log_columns import Category, ClickLog, labels_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

TOKENS = "tokens"
ONE = r"1(?:\.0*)?"
INDEX = re.compile(rf"(?P<index>[^\s:]+)(?::{ONE})?")
FIELD_AND_INDEX = re.compile(rf"(?P<field>[^\s:]+):(?P<index>[^\s:]+):{ONE}")
LABEL = r"[+-]?[01](?:\.0*)?"
LINE = re.compile(rf"{LABEL}(?:\s+[^\s:]+(?::[^\s:]+){{1,2}})+")
KNOWN_SHARE = 0.99
"""Share of the short lines' indices whose place the full lines must know."""


@attrs.frozen(eq=False)
class _Tokens:
    """All values of a file, line by line: their line, their place in it, and what they are (codes into ``words``)."""

    words: list[str]
    codes: NDArray[np.int32]
    rows: NDArray[np.int64]
    places: NDArray[np.int64]
    count: int


def read_libsvm(file: Path) -> ClickLog:
    """Reads one file.

    Raises:
        ValueError: a line is not as expected; names file and line.
    """
    words, codes, widths = _split(file)
    starts = np.cumsum(widths) - widths
    filled = np.array([word != "" for word in words], bool)[codes[starts]]
    lines = np.flatnonzero(filled) + 1
    _refuse(file, words, codes[starts[filled]], lines, LABEL)
    labels = np.array([float(word) if re.fullmatch(LABEL, word) else np.nan for word in words])
    rows = np.repeat(np.arange(filled.sum()), widths[filled] - 1)
    inside = np.ones(len(codes), bool)
    # The first word of a line is its label; an empty line is one empty word.
    inside[starts] = False
    fields = inside.any() and words[codes[inside.argmax()]].count(":") == 2
    pattern = FIELD_AND_INDEX if fields else INDEX
    _refuse(file, words, codes[inside], lines[rows], pattern)
    places = np.arange(len(codes)) - np.repeat(starts, widths) - 1
    tokens = _Tokens(words, codes[inside], rows, places[inside], int(filled.sum()))
    clicks = labels_of(labels[codes[starts[filled]]], file, first_line=1)
    return ClickLog(str(file), _columns(tokens, pattern), {}, clicks)


def _split(file: Path) -> tuple[list[str], NDArray[np.int32], NDArray[np.int64]]:
    """Distinct words, the code of every word in the file, and the number of words of every line."""
    table = csv.read_csv(
        file,
        csv.ReadOptions(use_threads=False, column_names=["line"]),
        csv.ParseOptions(delimiter="\x01", quote_char=False, double_quote=False, ignore_empty_lines=False),
        csv.ConvertOptions(column_types={"line": pa.string()}),
    )
    parts = [
        _apply("ascii_split_whitespace", _apply("ascii_trim_whitespace", chunk))
        for chunk in table["line"].chunks
    ]
    encoded = pa.chunked_array(
        [part.flatten().dictionary_encode() for part in parts], pa.dictionary(pa.int32(), pa.string())
    )
    chunks = encoded.unify_dictionaries().chunks
    words = chunks[0].dictionary.to_pylist() if chunks else []
    codes = np.concatenate([chunk.indices.to_numpy() for chunk in chunks] or [np.empty(0, np.int32)])
    widths = np.concatenate([part.value_lengths().to_numpy() for part in parts] or [np.empty(0, np.int64)])
    return words, codes, widths.astype(np.int64)


def _apply(name: str, lines: pa.Array) -> pa.Array:
    return pc.call_function(name, [lines])


def _refuse(
    file: Path,
    words: list[str],
    codes: NDArray[np.int32],
    lines: NDArray[np.int64],
    pattern: str | re.Pattern[str],
) -> None:
    wrong = np.array([re.fullmatch(pattern, word) is None for word in words], bool)
    bad = np.flatnonzero(wrong[codes])
    if len(bad):
        raise ValueError(
            f"{file}:{lines[bad[0]]}: expected '0|1 INDEX:1 INDEX:1 ...' or '0|1 FIELD:INDEX:1 ...', got "
            f"{words[codes[bad[0]]]!r}; files with numbers other than 1 are read as CSV with numeric columns"
        )


def _columns(tokens: _Tokens, pattern: re.Pattern[str]) -> dict[str, Category]:
    matches = [pattern.fullmatch(word) for word in tokens.words]
    keys = [match["index"] if match else "" for match in matches]
    if pattern is FIELD_AND_INDEX:
        named = [match["field"] if match else "" for match in matches]
        names = sorted({name for name in named if name}, key=lambda name: (len(name), name))
        number = {name: place for place, name in enumerate(names)}
        fields = np.array([number.get(name, -1) for name in named])[tokens.codes]
        return {f"field_{name}": _category(tokens, keys, fields == place) for name, place in number.items()}
    fields = _places(tokens)
    if fields is None:
        return {TOKENS: _category(tokens, keys, np.ones(len(tokens.codes), bool))}
    count = fields.max(initial=-1) + 1
    return {f"field_{place}": _category(tokens, keys, fields == place) for place in range(count)}


def _places(tokens: _Tokens) -> NDArray[np.int64] | None:
    """The field of every value, -1 where no full line tells; None where the lines have no fields."""
    widths = np.bincount(tokens.rows, minlength=tokens.count)
    full = (widths == widths.max())[tokens.rows]
    if full.all():
        return tokens.places
    told = np.full(len(tokens.words), -1)
    told[tokens.codes[full]] = tokens.places[full]
    fields = told[tokens.codes]
    placed = fields >= 0
    taken = tokens.rows[placed] * (widths.max() + 1) + fields[placed]
    agree = (fields[full] == tokens.places[full]).all() and len(np.unique(taken)) == len(taken)
    return fields if agree and placed[~full].mean() >= KNOWN_SHARE else None


def _category(tokens: _Tokens, keys: list[str], chosen: NDArray[np.bool_]) -> Category:
    codes, rows = tokens.codes[chosen], tokens.rows[chosen]
    used = np.flatnonzero(np.bincount(codes, minlength=len(keys)))
    local = np.empty(len(keys), np.int32)
    local[used] = np.arange(len(used))
    # Rows come in order, so that a row's first value is where it would be inserted.
    places = np.arange(len(rows)) - np.searchsorted(rows, rows)
    matrix = np.full((tokens.count, places.max(initial=0) + 1), -1, np.int32)
    matrix[rows, places] = local[codes]
    return Category([keys[code] for code in used], matrix)
