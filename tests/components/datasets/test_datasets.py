"""Tables, schema, loaders and point-in-time views."""

from __future__ import annotations

import gzip
import pickle
import shutil
import tarfile
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.datasets import Action, DataError, Dataset, Table, load
from components.datasets.higgs import load_higgs
from components.datasets.lastfm import load_lastfm
from components.datasets.table import Lazy

if TYPE_CHECKING:
    from pathlib import Path


def small(**tables) -> Dataset:
    users = Table({"user_id": [1, 2, 3]})
    posts = Table({"post_id": [10, 11], "author_id": [1, 2], "created_ms": [100, 200]})
    return Dataset("small", {"users": users, "posts": posts, **tables}, 1_000)


class TestTable:
    @given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), max_size=20))
    def test_sorting_is_that_of_tuples(self, rows):
        table = Table({"a": [row[0] for row in rows], "b": [row[1] for row in rows]}).sort_by("a", "b")
        assert list(zip(table["a"].tolist(), table["b"].tolist(), strict=True)) == sorted(rows)

    def test_rows_are_chosen_by_mask_and_by_position(self):
        table = Table({"a": [1, 2, 3], "t": ["x", "y", "z"]})
        assert table.where(table["a"] > 1)["t"].tolist() == ["y", "z"]
        assert table.take(np.array([2, 0]))["a"].tolist() == [3, 1]
        assert len(table.with_columns(c=[0, 0, 0])) == 3

    @given(st.lists(st.integers(0, 9), max_size=15), st.integers(-1, 10), st.integers(-1, 10))
    def test_rows_between_two_values_are_those_of_a_mask(self, values, low, high):
        expected = [value for value in values if low <= value < high]
        assert Table({"a": values}).between("a", low, high)["a"].tolist() == expected
        assert Table({"a": sorted(values)}).between("a", low, high)["a"].tolist() == sorted(expected)

    def test_a_lazy_column_is_read_once_and_only_when_asked_for(self):
        reads: list[int] = []
        column = Lazy(3, object, lambda: reads.append(1) or np.array(["x", "y", "z"], dtype=object))
        table = Table({"a": [3, 1, 2], "t": column})
        chosen = table.sort_by("a").where(np.array([True, False, True])).with_columns(b=[0, 0])
        assert table.dtype("t").kind == "O"
        assert reads == []
        assert chosen["t"].tolist() == ["y", "x"]
        assert chosen["t"].tolist() == table["t"].take([1, 0]).tolist()
        assert reads == [1]

    def test_a_table_survives_pickling_read_only(self):
        again = pickle.loads(pickle.dumps(Table({"a": Lazy(2, np.int64, lambda: [1, 2])})))
        assert again["a"].tolist() == [1, 2]
        assert not again["a"].flags.writeable

    def test_columns_are_read_only_and_equally_long(self):
        with pytest.raises(ValueError, match="read-only"):
            Table({"a": [1]})["a"][0] = 2
        with pytest.raises(ValueError, match="one length"):
            Table({"a": [1], "b": [1, 2]})
        with pytest.raises(KeyError, match="no column 'x'; columns: a"):
            Table({"a": [1]})["x"]


class TestSchema:
    def test_missing_tables_are_empty_and_missing_columns_take_their_default(self):
        data = small()
        assert len(data.follows) == 0
        assert data.posts["topic"].tolist() == [-1, -1]
        assert data.users["language"].tolist() == ["", "", ""]

    def test_every_problem_is_listed_with_table_column_and_row(self):
        engagements = Table({"viewer_id": [1, 9], "post_id": [10, 10], "action": [0, 77], "time_ms": [1, 2]})
        with pytest.raises(DataError) as caught:
            Dataset(
                "broken",
                {
                    "users": Table({"user_id": [1, 1]}),
                    "posts": Table({"post_id": [10], "author_id": [5], "created_ms": [1]}),
                    "engagements": engagements,
                },
                10,
            )
        assert caught.value.problems == (
            "users.user_id: 1 duplicate ids, first in row 1",
            "posts.author_id: 1 ids are not in users.user_id, first in row 0: 5",
            "engagements.viewer_id: 1 ids are not in users.user_id, first in row 1: 9",
            "engagements.action: 1 values are no Action, first in row 1: 77",
        )

    def test_nothing_may_happen_before_its_post(self):
        with pytest.raises(
            DataError, match=r"engagements.time_ms: 1 are before their post, first in row 1: 199"
        ):
            small(
                engagements=Table(
                    {"viewer_id": [3, 3], "post_id": [10, 11], "action": [0, 0], "time_ms": [100, 199]}
                )
            )

    def test_wrong_types_and_unknown_tables_are_named(self):
        with pytest.raises(
            DataError,
            match=r"likes: unknown table.*users.user_id: expected int64, got object; posts.created_ms: mandatory",
        ):
            Dataset(
                "broken",
                {
                    "likes": Table({"a": [1]}),
                    "posts": Table({"post_id": [1], "author_id": [1]}),
                    "users": Table({"user_id": ["x"]}),
                },
                1,
            )

    def test_a_view_of_the_past_knows_nothing_later(self):
        data = small(
            engagements=Table(
                {"viewer_id": [3, 3], "post_id": [10, 11], "action": [0, 0], "time_ms": [150, 250]}
            ),
            follows=Table({"follower_id": [1, 2], "followee_id": [2, 3], "created_ms": [0, 180]}),
            labels=Table({"post_id": [10, 11], "label": ["nsfw", "nsfw"], "score": np.float32([1, 1])}),
            undated=Table({"user_id": [1], "entity_id": [4], "weight": np.float32([9])}),
        )
        past = data.as_of(180)
        assert past.posts["post_id"].tolist() == [10]
        assert past.engagements["time_ms"].tolist() == [150]
        assert past.follows["follower_id"].tolist() == [1]
        assert past["labels"]["post_id"].tolist() == [10]
        assert len(past["undated"]) == 0
        assert past.now_ms == 180

    @given(st.integers(0, 2_000))
    def test_no_time_in_a_view_is_at_or_after_its_moment(self, moment):
        data = small(
            engagements=Table(
                {
                    "viewer_id": [3] * 4,
                    "post_id": [10] * 4,
                    "action": [0] * 4,
                    "time_ms": [100, 500, 999, 1500],
                }
            )
        )
        past = data.as_of(moment)
        assert (past.engagements["time_ms"] < moment).all()
        assert (past.posts["created_ms"] < moment).all()


@pytest.fixture(scope="module")
def lastfm_folder(shared) -> Path:
    return shared / "data" / "hetrec2011-lastfm"


@pytest.fixture(scope="module")
def lastfm(lastfm_folder) -> Dataset:
    return load(lastfm_folder)


class TestLastFm:
    def test_counts_are_those_of_the_publisher(self, lastfm):
        assert len(lastfm.users) == 1_892
        assert len(lastfm.follows) == 25_434
        assert len(lastfm["undated"]) == 92_834
        assert lastfm.report.rows["tag assignments"] == 186_479 - 5
        assert lastfm.report.dropped["tag assignments with an impossible date"] == 5
        assert "5 tag assignments with an impossible date" in lastfm.report.in_words()

    def test_a_post_is_a_user_tagging_an_artist_on_a_day(self, lastfm):
        posts = lastfm.posts
        keys = np.stack([posts["author_id"], posts["entity_id"], posts["created_ms"]])
        assert len(np.unique(keys, axis=1).T) == len(posts) == 85_011
        assert len({*zip(posts["author_id"].tolist(), posts["entity_id"].tolist(), strict=True)}) == 71_062
        assert (np.diff(posts["created_ms"]) >= 0).all()

    def test_an_engagement_is_with_an_earlier_post_by_somebody_else_about_the_same_artist(self, lastfm):
        posts, engagements = lastfm.posts, lastfm.engagements
        row = np.searchsorted(posts["post_id"], engagements["post_id"])
        assert (posts["created_ms"][row] < engagements["time_ms"]).all()
        assert (posts["author_id"][row] != engagements["viewer_id"]).all()
        assert set(engagements["action"].tolist()) == {int(Action.FAV)}

    def test_friends_are_answered_before_strangers(self, lastfm):
        posts, engagements = lastfm.posts, lastfm.engagements
        row = np.searchsorted(posts["post_id"], engagements["post_id"])
        friends = set(
            zip(lastfm.follows["follower_id"].tolist(), lastfm.follows["followee_id"].tolist(), strict=True)
        )
        pairs = zip(engagements["viewer_id"].tolist(), posts["author_id"][row].tolist(), strict=True)
        assert 0.05 < np.mean([pair in friends for pair in pairs]) < 0.5

    @pytest.mark.parametrize("kind", ["zip", "tar.gz"])
    def test_the_publishers_archive_loads_like_the_folder(self, lastfm_folder, tmp_path, kind):
        archive, folder = tmp_path / f"hetrec2011-lastfm-2k.{kind}", tmp_path / "folder"
        folder.mkdir()
        for path in lastfm_folder.glob("*.gz"):
            lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
            (folder / path.name.removesuffix(".gz")).write_bytes(b"".join(lines[:5_000]))
        if kind == "zip":
            with zipfile.ZipFile(archive, "w") as out:
                for path in folder.iterdir():
                    out.write(path, f"hetrec/{path.name}")
        else:
            with tarfile.open(archive, "w:gz") as out:
                for path in folder.iterdir():
                    out.add(path, arcname=path.name)
        plain, again = load(folder), load(archive)
        assert again.posts["text"].tolist() == plain.posts["text"].tolist()
        assert np.array_equal(again.engagements["post_id"], plain.engagements["post_id"])

    def test_a_missing_member_is_named(self, lastfm_folder, tmp_path):
        shutil.copy(lastfm_folder / "user_taggedartists.dat.gz", tmp_path)
        with pytest.raises(
            DataError, match=r"expected a member artists.dat or artists.dat.gz, got user_taggedartists"
        ):
            load(tmp_path)

    def test_damaged_and_foreign_files_are_refused(self, lastfm_folder, tmp_path):
        whole = (lastfm_folder / "user_taggedartists.dat.gz").read_bytes()
        broken = tmp_path / "user_taggedartists.dat.gz"
        broken.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(DataError, match="cannot be read"):
            load_lastfm(tmp_path)
        broken.write_bytes(gzip.compress(b"a,b,c\n1,2,3\n"))
        with pytest.raises(DataError, match="expected the header"):
            load_lastfm(tmp_path)


class TestHiggs:
    def write(self, folder: Path, text: str) -> Path:
        path = folder / "higgs-activity_time.txt"
        path.write_text(text)
        return path

    def test_bad_rows_are_counted_and_left_out(self, tmp_path):
        lines = "1 2 100 RT\n3 3 110 MT\nx y z RT\n1 2\n4 5 90 RE\n6 7 120 XX\n"
        data = load(self.write(tmp_path, lines))
        assert data.interactions["actor_id"].tolist() == [4, 1]
        assert data.interactions["time_ms"].tolist() == [90_000, 100_000]
        assert data.report.dropped == {"malformed lines": 3, "actions on oneself": 1}
        assert data.now_ms == 100_001

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "got none"),
            ("1,2,3\n", "expected 4 columns"),
            ("1 2 3 XX\n", "kind of RT, MT, RE"),
            ("a b c RT\n", "3 integers"),
        ],
    )
    def test_files_of_another_shape_are_refused(self, tmp_path, text, message):
        with pytest.raises(DataError, match=message):
            load_higgs(self.write(tmp_path, text))

    def test_the_real_log(self, higgs):
        assert len(higgs.users) == 304_198
        assert len(higgs.interactions) == 563_069 - 7_588
        assert higgs.report.dropped["actions on oneself"] == 7_588
        assert (np.diff(higgs.interactions["time_ms"]) >= 0).all()


def test_what_is_no_data_set_is_refused(tmp_path):
    with pytest.raises(DataError, match="found nothing there"):
        load(tmp_path / "nothing")
    (tmp_path / "readme.md").write_text("hello")
    with pytest.raises(DataError, match=r"expected user_taggedartists.dat \(Last.fm\).*got readme.md"):
        load(tmp_path)
