"""One's own files: CSV tables, MovieLens, lists of edges; every problem told by file, column and row."""

from __future__ import annotations

import gzip
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.datasets import Action, DataError, load
from components.datasets.csv_files import Column, read_csv, times
from components.datasets.folder_of_csv import load_folder_of_csv

if TYPE_CHECKING:
    from pathlib import Path

POSTS = 'post_id,author_id,created_ms,text\n10,1,2026-01-01T00:00:00Z,hello\n11,2,1767225600500,"a, b\nc"\n'
FOLLOWS = "follower_id,followee_id\n2,1\n3,1\n"
ENGAGEMENTS = "viewer_id,post_id,action,time_ms\n3,11,fav,2026-01-01T02:00:00+01:00\n2,10,1,1767225601000\n"


def folder(path: Path, **files: str) -> Path:
    for name, text in files.items():
        (path / f"{name}.csv").write_text(text)
    return path


class TestFolderOfCsv:
    def test_three_files_make_a_data_set(self, tmp_path):
        data = load(folder(tmp_path, posts=POSTS, follows=FOLLOWS, engagements=ENGAGEMENTS))
        assert data.users["user_id"].tolist() == [1, 2, 3]
        assert data.posts["text"].tolist() == ["hello", "a, b\nc"]
        assert data.posts["created_ms"].tolist() == [1767225600000, 1767225600500]
        assert data.posts["topic"].tolist() == [-1, -1]
        assert data.engagements["time_ms"].tolist() == [1767225601000, 1767229200000]
        assert data.engagements["action"].tolist() == [int(Action.RETWEET), int(Action.FAV)]
        assert data.now_ms == 1767229200001

    def test_a_single_table_will_do_and_empty_cells_take_their_default(self, tmp_path):
        data = load(folder(tmp_path, users="user_id,name,created_ms,country\n1,Ann,,fr\n2,,2020-02-03,de\n"))
        assert data.users["created_ms"].tolist() == [0, 1580688000000]
        assert data.users["name"].tolist() == ["Ann", ""]
        assert data.report.dropped == {"values of users.csv: country, unknown": 2}

    def test_every_problem_is_listed_with_file_column_and_row(self, tmp_path):
        folder(
            tmp_path,
            posts="post_id,author_id,created_ms\n10,1,today\n11,x,5\n12,,6,7\n13,y,yesterday\n",
            engagements="viewer_id,post_id,time_ms\n",
            follows="follower_id,followee_id\n1\n2,1.5\n",
            likes="a\n1\n",
            labels="",
        )
        with pytest.raises(DataError) as caught:
            load(tmp_path)
        problems = caught.value.problems
        assert "posts.csv: row 3: expected 3 cells, got 4" in problems
        assert (
            "posts.csv: created_ms: 2 values are not milliseconds since 1970 or an ISO 8601 time,"
            " first in row 1: 'today'" in problems
        )
        assert "posts.csv: author_id: 2 values are not whole numbers (int64), first in row 2: 'x'" in problems
        assert (
            "engagements.csv: action: mandatory column is missing, got viewer_id, post_id, time_ms"
            in problems
        )
        assert "follows.csv: row 1: expected 2 cells, got 1" in problems
        assert (
            "follows.csv: followee_id: 1 values are not whole numbers (int64), first in row 2: '1.5'"
            in problems
        )
        assert any(problem.startswith("likes.csv: no table of this name") for problem in problems)
        assert any(problem.startswith("labels.csv: expected CSV with a header") for problem in problems)

    def test_what_does_not_fit_together_is_listed_too(self, tmp_path):
        folder(
            tmp_path,
            users="user_id\n1\n1\n",
            posts=POSTS,
            engagements="viewer_id,post_id,action,time_ms\n1,10,FAV,0\n1,99,FAV,2026-01-02\n",
        )
        with pytest.raises(DataError) as caught:
            load_folder_of_csv(tmp_path)
        assert caught.value.problems == (
            "users.csv: user_id: 1 duplicate ids, first in row 2",
            "posts.csv: author_id: 1 ids are not in users.user_id, first in row 2: 2",
            "engagements.csv: post_id: 1 ids are not in posts.post_id, first in row 2: 99",
        )

    @given(st.lists(st.datetimes().map(lambda moment: moment.replace(microsecond=0)), min_size=1))
    def test_iso_times_are_those_of_numpy(self, moments):
        expected = np.array(moments, dtype="datetime64[ms]").astype(np.int64)
        for ending in ("", "Z", "+00:00", "+0000"):
            cells = "\n".join(moment.isoformat() + ending for moment in moments)
            parsed = read_csv(f"t\n{cells}\n".encode(), "t.csv", {"t": Column(times, "times")})
            assert parsed.problems == []
            assert parsed.table["t"].tolist() == expected.tolist()

    def test_a_column_given_twice_is_refused(self, tmp_path):
        with pytest.raises(DataError, match=r"users.csv: user_id: 2 columns of this name"):
            load(folder(tmp_path, users="user_id,user_id\n1,1\n"))

    def test_what_has_to_be_installed_is_named(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        with pytest.raises(DataError, match="needs pyarrow, which the extra 'arrow' installs"):
            load(folder(tmp_path, users="user_id\n1\n"))

    def test_gzipped_files_are_read(self, tmp_path):
        (tmp_path / "follows.csv.gz").write_bytes(gzip.compress(FOLLOWS.encode()))
        assert len(load(tmp_path).follows) == 2


class TestMovieLens:
    MOVIES = 'movieId,title,genres\n5,"A, film",Comedy|Drama\n6,B,Drama\n7,C,War\n'
    RATINGS = "userId,movieId,rating,timestamp\n1,5,4.0,200\n2,5,3.5,100\n2,6,5.0,300\n"

    def test_ratings_are_impressions_and_high_ones_likes(self, tmp_path):
        data = load(folder(tmp_path, movies=self.MOVIES, ratings=self.RATINGS))
        assert data.posts["post_id"].tolist() == [5, 6]
        assert data.posts["created_ms"].tolist() == [100_000, 300_000]
        assert data.posts["text"].tolist() == ["A, film: Comedy, Drama", "B: Drama"]
        assert data.posts["author_id"].tolist() == [3, 4]
        assert data["impressions"]["viewer_id"].tolist() == [2, 1, 2]
        assert data.engagements["time_ms"].tolist() == [200_000, 300_000]
        assert data.report.dropped == {"movies nobody rated": 1}

    def test_problems_are_listed(self, tmp_path):
        broken = "userId,movieId,rating,timestamp\n1,5,high,200\n1,5,4,\n"
        with pytest.raises(DataError) as caught:
            load(folder(tmp_path, movies="movieId,title\n5,A\n", ratings=broken))
        assert caught.value.problems == (
            "ratings.csv: rating: 1 values are not numbers, first in row 1: 'high'",
            "ratings.csv: timestamp: 1 values are not seconds since 1970, first in row 2: ''",
            "movies.csv: genres: mandatory column is missing, got movieId, title",
        )
        with pytest.raises(DataError, match=r"1 ids are not in movies.csv, first in row 3: 6"):
            load(folder(tmp_path, movies="movieId,title,genres\n5,A,War\n", ratings=self.RATINGS))

    def test_counts_are_those_of_the_publisher(self, shared):
        data = load(shared / "data" / "ml-latest-small")
        assert len(data["impressions"]) == 100_004
        assert len(np.unique(data["impressions"]["viewer_id"])) == 671
        assert len(data.posts) + data.report.dropped["movies nobody rated"] == 9_125


class TestEdgeLists:
    def write(self, path: Path, text: str) -> Path:
        (path / "graph.txt").write_text(text)
        return path / "graph.txt"

    @pytest.mark.parametrize(
        "text", ["1 2\n2 3\n", "1,2\n2,3\n", "# a graph\n1\t2\n\n  2   3\n", "% n\nfrom,to\n1,2\n2,3\n"]
    )
    def test_separators_comments_and_headers(self, tmp_path, text):
        data = load(self.write(tmp_path, text))
        assert data.follows["follower_id"].tolist() == [1, 2]
        assert data.follows["followee_id"].tolist() == [2, 3]
        assert data.users["user_id"].tolist() == [1, 2, 3]

    def test_repeated_edges_and_those_to_oneself_are_left_out(self, tmp_path):
        data = load(self.write(tmp_path, "1 2\n2 2\n1 2\n"))
        assert len(data.follows) == 1
        assert data.report.dropped == {"edges from a user to itself": 1, "repeated edges": 1}

    def test_a_third_number_is_a_time_or_a_weight(self, tmp_path):
        timed = load(self.write(tmp_path, "1 2 1300000000\n2 3 1200000000\n"))
        assert timed.follows["created_ms"].tolist() == [1_200_000_000_000, 1_300_000_000_000]
        weighted = load(self.write(tmp_path, "1 2 0.5\n2 3 1300000000\n"))
        assert weighted.follows["created_ms"].tolist() == [0, 0]
        assert weighted.follows["weight"].tolist() == [0.5, 1_300_000_000]
        both = load(self.write(tmp_path, "1 2 7 1300000000000\n2 3 8 1300000000001\n"))
        assert both.follows["created_ms"].tolist() == [1_300_000_000_000, 1_300_000_000_001]
        named = load(self.write(tmp_path, "src,dst,time\n1,2,5\n2,3,4\n"))
        assert named.follows["created_ms"].tolist() == [4_000, 5_000]

    def test_timed_edges_that_repeat_are_interactions(self, tmp_path):
        data = load(self.write(tmp_path, "1 2 1300000000\n1 2 1300000001\n"))
        assert data.interactions["time_ms"].tolist() == [1_300_000_000_000, 1_300_000_001_000]

    def test_every_bad_line_is_listed(self, tmp_path):
        with pytest.raises(DataError) as caught:
            load(self.write(tmp_path, "# x\n1 2\n3\n4 five\n1.5 2\n6 7\n"))
        assert [problem[:7] for problem in caught.value.problems] == ["line 3:", "line 4:", "line 5:"]
        with pytest.raises(DataError, match="and 10 lines more"):
            load(self.write(tmp_path, "1 2\n" + "x\n" * 30))
        with pytest.raises(DataError, match="got none"):
            load(self.write(tmp_path, "# nothing\n"))
        with pytest.raises(DataError, match="expected 2 to 4 numbers, got 5"):
            load(self.write(tmp_path, "1 2 3 4 5\n"))

    def test_the_real_votes(self, shared):
        data = load(shared / "data" / "wiki-vote")
        assert len(data.users) == 7_115
        assert len(data.follows) == 103_689
