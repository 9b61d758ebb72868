"""Click logs: what strangers' files look like, and what is said of those that cannot be read."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.models.heavy_ranker.click_logs import ClickDataConfig, read_click_log
from components.models.heavy_ranker.vocabulary import Encoder

if TYPE_CHECKING:
    from pathlib import Path

    from components.models.heavy_ranker.log_columns import ClickLog


def read(path: Path, text: str, **layout: object) -> ClickLog:
    path.write_text(text, encoding="utf-8")
    return read_click_log(path, ClickDataConfig(**layout))  # type: ignore[arg-type]


def values(log: ClickLog) -> dict[str, list[list[str]]]:
    """The categories as lists of texts."""
    return {
        name: [[column.words[code] for code in row if code >= 0] for row in column.codes]
        for name, column in log.categories.items()
    }


def test_csv_columns_become_numbers_categories_and_lists(tmp_path: Path) -> None:
    text = "label,user,tags,price,note\n1,a,x^y,2.5,n\n0,b,,,n\n0,a,y^z^x,-1,n\n"
    layout = {"numeric": ("price",), "multi_valued": {"tags": "^"}, "ignored": ("note", "absent")}
    log = read(tmp_path / "log.csv", text, **layout)
    rows = Encoder.fit(log).rows(log)
    np.testing.assert_array_equal(rows.continuous[:, 0], [2.5, np.nan, -1.0])
    np.testing.assert_array_equal(rows.ids["user"], [[0], [1], [0]])
    np.testing.assert_array_equal(rows.ids["tags"], [[0, 1, -1], [-1, -1, -1], [1, 2, 0]])
    np.testing.assert_array_equal(rows.labels["click"], [1, 0, 0])


@pytest.mark.parametrize(
    "text",
    [
        "label,user,city\n1,a,Bern\n-1,,Genf\n",
        "\ufefflabel,user,city\n1,a,Bern\n0,,Genf\n",
        "label\tuser\tcity\n1\ta\tBern\n0\t\tGenf\n",
        "label;user;city\n1.0;a;Bern\n0.0;;Genf\n",
        'city,"user",label\r\nBern,a,1\r\n"Genf","",0\r\n',
        "label, user, city\n1,a,Bern\n0,,Genf\n\n",
    ],
    ids=["negative labels", "byte order mark", "tabs", "semicolons", "quotes", "spaces"],
)
def test_a_table_reads_alike_however_it_is_written(tmp_path: Path, text: str) -> None:
    log = read(tmp_path / "log.txt", text)
    assert values(log) == {"user": [["a"], []], "city": [["Bern"], ["Genf"]]}
    np.testing.assert_array_equal(log.labels, [1, 0])


def test_a_quoted_value_may_hold_separators_and_line_ends(tmp_path: Path) -> None:
    log = read(tmp_path / "log.csv", 'click,"title, long"\n1,"one, two\nthree"\n0,NA\n', label="click")
    assert values(log) == {"title, long": [["one, two\nthree"], ["NA"]]}


def test_compressed_files_are_unpacked(tmp_path: Path) -> None:
    for name, text in (("log.csv.gz", "label,field_0\n1,7\n"), ("log.libsvm.gz", "1 7:1\n")):
        (tmp_path / name).write_bytes(gzip.compress(text.encode()))
        assert values(read_click_log(tmp_path / name, ClickDataConfig())) == {"field_0": [["7"]]}


@pytest.mark.parametrize("name", ["log.libsvm", "log.txt"])
def test_the_first_line_tells_libsvm_from_csv(tmp_path: Path, name: str) -> None:
    log = read(tmp_path / name, "1 3:1 5:1.0\n\n-1 4:1 5:1\n+1 3:1 6:1\n")
    assert values(log) == {"field_0": [["3"], ["4"], ["3"]], "field_1": [["5"], ["5"], ["6"]]}
    np.testing.assert_array_equal(log.labels, [1, 0, 1])


def test_libffm_names_the_field_of_every_value(tmp_path: Path) -> None:
    log = read(tmp_path / "log.ffm", "1 0:3:1 2:5:1 2:6:1\n0 2:3:1\n1 10:3:1 0:4:1\n")
    assert values(log) == {
        "field_0": [["3"], [], ["4"]],
        "field_2": [["5", "6"], ["3"], []],
        "field_10": [[], [], ["3"]],
    }


@given(
    columns=st.integers(2, 5),
    holes=st.sets(st.tuples(st.integers(10, 29), st.integers(0, 4)), max_size=20),
    seed=st.integers(0, 99),
)
def test_full_lines_tell_the_fields_of_shorter_ones(
    tmp_path_factory: pytest.TempPathFactory, columns: int, holes: set[tuple[int, int]], seed: int
) -> None:
    """The first ten lines are full and hold every value; any field of the others may be missing."""
    table = np.random.default_rng(seed).integers(0, 10, (30, columns)) + 100 * np.arange(columns)
    table[:10] = np.arange(10)[:, None] + 100 * np.arange(columns)
    cells = [
        [str(value) if (row, place) not in holes else "" for place, value in enumerate(line)]
        for row, line in enumerate(table)
    ]
    text = "".join("1 " + " ".join(f"{cell}:1" for cell in line if cell) + "\n" for line in cells)
    log = read(tmp_path_factory.mktemp("logs") / "log.libsvm", text)
    assert values(log) == {
        f"field_{place}": [[line[place]] if line[place] else [] for line in cells] for place in range(columns)
    }


def test_lines_that_contradict_each_other_are_one_field_of_many_values(tmp_path: Path) -> None:
    log = read(tmp_path / "log.libsvm", "1 3:1 5:1\n0 5:1 3:1\n0 5:1\n")
    rows = Encoder.fit(log).rows(log)
    np.testing.assert_array_equal(rows.ids["tokens"], [[0, 1], [1, 0], [1, -1]])


def test_rare_values_share_a_vector_and_unseen_ones_take_it(tmp_path: Path) -> None:
    encoder = Encoder.fit(
        read(tmp_path / "a.csv", "label,user\n1,a\n0,a\n0,rare\n0,rarer\n0,\n"), min_count=2
    )
    rows = encoder.rows(read(tmp_path / "b.csv", "label,user\n1,a\n0,new\n0,rare\n0,\n"))
    np.testing.assert_array_equal(rows.ids["user"], [[0], [1], [1], [-1]])
    assert encoder.features(4).ids["user"].size == 2


def test_without_rare_values_unseen_ones_count_as_missing(tmp_path: Path) -> None:
    encoder = Encoder.fit(read(tmp_path / "a.csv", "label,user\n1,a\n0,b\n"))
    rows = encoder.rows(read(tmp_path / "b.csv", "label,user\n1,b\n0,new\n"))
    np.testing.assert_array_equal(rows.ids["user"], [[1], [-1]])


def test_more_values_than_any_training_row_had_are_cut(tmp_path: Path) -> None:
    encoder = Encoder.fit(read(tmp_path / "a.csv", "label,tags\n1,a|b\n", multi_valued={"tags": "|"}))
    rows = encoder.rows(read(tmp_path / "b.csv", "label,tags\n1,b|a|b\n0,b\n", multi_valued={"tags": "|"}))
    np.testing.assert_array_equal(rows.ids["tags"], [[1, 0], [1, -1]])


def test_the_vocabulary_survives_its_file(tmp_path: Path) -> None:
    encoder = Encoder.fit(
        read(tmp_path / "a.csv", "label,user,n\n1,a,2\n0,b,3\n", numeric=("n",)), min_count=2
    )
    encoder.save(tmp_path / "vocabulary.json")
    assert Encoder.load(tmp_path / "vocabulary.json") == encoder


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "a.libsvm",
            "1 3:1\n\n0 4:0.5\n",
            r"a\.libsvm:3: expected '0\|1 INDEX:1 .*got '4:0.5'.*CSV with numeric",
        ),
        ("a.libsvm", "1 0:3:1\n1 3:1\n", r"a\.libsvm:2: .*got '3:1'"),
        ("a.libsvm", "1 3:1\n5 3:1\n", r"a\.libsvm:2: .*got '5'"),
        (
            "a.csv",
            "click,user\n1,a\n",
            r"a\.csv:1: expected a header with columns \['label'\].*got \['click', 'user'\]",
        ),
        ("a.csv", "1,7,8\n0,7,9\n", r"a\.csv:1: expected a header"),
        ("a.csv", "label,user,user\n1,a,b\n", r"a\.csv:1: .*\['user'\] more than once"),
        ("a.csv", "label,user\n1,a\n3,a\n", r"a\.csv:3: expected a label of 0, 1 or -1, got 3"),
        ("a.csv", "label,user\n1,a\n,a\n", r"a\.csv:3: .*got nan"),
        ("a.csv", "label,user\n1,a\nyes,a\n", r"a\.csv: .*Row #3.*'yes'"),
        ("a.csv", "label,user\n1,a\n0,a,b\n", r"a\.csv: .*Row #3: Expected 2 columns, got 3: 0,a,b"),
        ("a.csv", "label,user\n", r"a\.csv: expected rows, found none"),
        ("a.csv", "", r"a\.csv"),
        ("a.libsvm", "", r"a\.libsvm"),
    ],
)
def test_a_file_that_is_not_as_described_is_refused(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read(tmp_path / name, text)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="expected a click log"):
        read_click_log(tmp_path / "none.csv", ClickDataConfig())


def test_other_columns_than_in_training_are_refused(tmp_path: Path) -> None:
    encoder = Encoder.fit(read(tmp_path / "a.csv", "label,user,city\n1,a,x\n0,b,x\n"))
    message = r"b\.csv:1: expected the 2 columns of .*a\.csv, got 3; absent: \['user'\], not in training: \['day', 'item'\]"
    with pytest.raises(ValueError, match=message):
        encoder.rows(read(tmp_path / "b.csv", "label,item,city,day\n1,a,x,1\n"))
