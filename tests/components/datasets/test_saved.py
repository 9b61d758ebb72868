"""Data sets on disk: what was saved comes back, and what does not fit is named."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.datasets import DataError, Dataset, LoadReport, Table, generate, load
from components.datasets.schema import SCHEMA

WORDS = st.lists(st.text(max_size=8), min_size=2, max_size=6)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return generate("tiny", 4).dataset


@pytest.fixture
def folder(data, tmp_path):
    data.save(tmp_path / "saved")
    return tmp_path / "saved"


def same(one: Dataset, two: Dataset) -> None:
    for name in SCHEMA:
        assert [*one[name]] == [*two[name]] or not len(one[name])
        for column in one[name]:
            np.testing.assert_array_equal(one[name][column], two[name][column])
            assert not len(one[name]) or one[name][column].dtype == two[name][column].dtype


def test_what_was_saved_comes_back(data, folder):
    same(data, Dataset.open(folder))
    same(data, load(folder))
    assert (load(folder).name, load(folder).now_ms) == (data.name, data.now_ms)


@given(WORDS)
def test_texts_reports_and_vectors_come_back(tmp_path_factory, names):
    users = Table(
        {"user_id": np.arange(len(names)), "name": names, "taste": np.eye(len(names), dtype=np.float32)}
    )
    folder = tmp_path_factory.mktemp("saved")
    one = Dataset("people", {"users": users}, 5, LoadReport({"users": 2}, {"lost": 3}))
    one.save(folder)
    two = Dataset.open(folder)
    same(one, two)
    assert (two.report, two.now_ms) == (one.report, 5)


def test_columns_are_read_when_they_are_used(folder, data):
    opened = Dataset.open(folder)
    (folder / "posts.parquet").write_bytes(b"gone")
    assert opened.posts["post_id"].tolist() == data.posts["post_id"].tolist()  # the checks have looked at it
    with pytest.raises(DataError, match=r"posts.parquet: text: cannot be read"):
        opened.posts["text"]


def test_a_data_set_is_replaced_and_nothing_else(folder, tmp_path):
    Dataset("empty", {}, 1).save(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["dataset.json"]
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("Dear")
    with pytest.raises(FileExistsError, match="expected no such folder"):
        Dataset("empty", {}, 1).save(tmp_path / "letters")
    assert (tmp_path / "letters" / "dear.txt").exists()


def test_a_failed_save_leaves_the_old_one(folder, data):
    broken = Dataset(
        "broken", {"users": Table({"user_id": [1, 2], "odd": np.array([1, "x"], dtype=object)})}, 1
    )
    with pytest.raises(pa.ArrowException):
        broken.save(folder)
    assert Dataset.open(folder).name == data.name
    assert [path.name for path in folder.parent.iterdir()] == ["saved"]


def test_missing_damaged_and_foreign_files_are_all_listed(folder):
    (folder / "posts.parquet").unlink()
    (folder / "follows.parquet").write_bytes(b"PAR1")
    pq.write_table(pa.table({"user_id": [1]}), folder / "users.parquet")
    with pytest.raises(DataError) as caught:
        Dataset.open(folder)
    problems = "\n".join(caught.value.problems)
    assert "posts.parquet: expected a file with 2000 rows, found nothing there" in problems
    assert "follows.parquet: cannot be read" in problems
    assert "users.parquet: expected 200 rows, got 1" in problems


def test_every_problem_of_the_schema_is_listed_with_file_column_and_row(folder, data):
    authors = np.array(data.posts["author_id"])
    authors[7] = 99_999
    posts = {name: data.posts[name] for name in data.posts} | {"author_id": authors}
    pq.write_table(pa.table(posts), folder / "posts.parquet")
    actions = [None, 77] + [0] * (len(data.engagements) - 2)
    events = {name: data.engagements[name] for name in data.engagements} | {
        "action": pa.array(actions, pa.int8())
    }
    pq.write_table(pa.table(events), folder / "engagements.parquet")
    with pytest.raises(DataError) as caught:
        Dataset.open(folder)
    assert caught.value.problems == ("engagements.parquet: action: 1 nulls, first in row 0",)
    pq.write_table(
        pa.table(events | {"action": pa.array([0, *actions[1:]], pa.int8())}), folder / "engagements.parquet"
    )
    with pytest.raises(DataError) as caught:
        Dataset.open(folder)
    assert caught.value.problems == (
        "posts.parquet: author_id: 1 ids are not in users.user_id, first in row 7: 99999",
        "engagements.parquet: action: 1 values are no Action, first in row 1: 77",
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 99}, "expected version 1, got 99"),
        ({"format": "other"}, "format 'mixer.dataset'"),
        (
            {"now_ms": "soon", "tables": 3},
            "expected 'now_ms' to be int, got 'soon'; expected 'tables' to be dict",
        ),
    ],
)
def test_other_manifests_are_refused(folder, change, message):
    path = folder / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError, match=message):
        Dataset.open(folder)


def test_no_manifest_and_no_json_are_refused(folder):
    (folder / "dataset.json").write_text("{")
    with pytest.raises(DataError, match="expected JSON"):
        Dataset.open(folder)
    (folder / "dataset.json").unlink()
    with pytest.raises(DataError, match="expected the manifest"):
        Dataset.open(folder)
