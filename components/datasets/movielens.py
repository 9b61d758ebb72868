"""MovieLens (``ratings.csv`` and ``movies.csv``) read as a timeline.

MovieLens knows neither authors nor follows nor what was shown; this is what stands in for them:

- A post is a movie that somebody rated. Nothing says when people could first see it there, so it is posted at its
  first rating: before that moment nobody knew of it, and nothing of the future is told.
- Its author is an account for the first genre listed, whose id follows the largest id of a user.
- A rating is an impression (place 0, unknown propensity), and one of 4 stars or more also a like. Who looked without
  rating is unknown, so the rates of likes are far higher than those of a timeline.
- Nobody follows anybody: only out-of-network retrieval can be judged.

Source: Harper, Konstan 2015.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.datasets.csv_files import Column, numbers, read_csv, words
from components.datasets.dataset import Dataset, LoadReport
from components.datasets.errors import DataError
from components.datasets.files import find, read
from components.datasets.schema import Action
from components.datasets.table import Table

LIKED = 4.0
"""Stars from which a rating counts as a like."""
_ID = Column(numbers(np.int64), "whole numbers")
_FILES = {
    "ratings.csv": {
        "userId": _ID,
        "movieId": _ID,
        "rating": Column(numbers(np.float32), "numbers"),
        "timestamp": Column(numbers(np.int64), "seconds since 1970"),
    },
    "movies.csv": {"movieId": _ID, "title": Column(words, "text"), "genres": Column(words, "text")},
}


def is_movielens(path: Path) -> bool:
    """True when the path holds ratings and movies."""
    return all(find(path, file) is not None for file in _FILES)


def load_movielens(path: Path) -> Dataset:
    """Viewers, movies as posts, ratings as impressions and likes.

    Raises:
        DataError: lists every problem of both files, with file, column and row.
    """
    parsed = {file: read_csv(read(path, file), file, columns) for file, columns in _FILES.items()}
    ratings, movies = (one.table for one in parsed.values())
    problems = [problem for one in parsed.values() for problem in one.problems]
    if not problems:
        strange = (~np.isin(ratings["movieId"], movies["movieId"])).nonzero()[0]
        if len(strange):
            first = f"first in row {strange[0] + 1}: {ratings['movieId'][strange[0]]}"
            problems = [f"ratings.csv: movieId: {len(strange)} ids are not in movies.csv, {first}"]
        elif not len(ratings):
            problems = ["ratings.csv: expected ratings, got none"]
    if problems:
        raise DataError(str(path), problems)
    return _dataset(ratings, movies)


def _dataset(ratings: Table, movies: Table) -> Dataset:
    ratings = ratings.with_columns(time_ms=ratings["timestamp"] * 1000).sort_by(
        "time_ms", "userId", "movieId"
    )
    viewers = np.unique(ratings["userId"])
    rated, first = np.unique(ratings["movieId"], return_index=True)
    unrated = int((~np.isin(movies["movieId"], rated)).sum())
    movies = movies.where(np.isin(movies["movieId"], rated)).sort_by("movieId")
    genres, genre = np.unique([listed.split("|")[0] for listed in movies["genres"]], return_inverse=True)
    accounts = int(viewers.max()) + 1 + np.arange(len(genres))
    names = [f"viewer {viewer}" for viewer in viewers.tolist()] + genres.tolist()
    posts = Table(
        {
            "post_id": movies["movieId"],
            "author_id": accounts[genre],
            "created_ms": ratings["time_ms"][first],
            "text": np.array(
                [
                    f"{title}: {', '.join(listed.split('|'))}"
                    for title, listed in zip(movies["title"], movies["genres"], strict=True)
                ],
                dtype=object,
            ),
            "topic": genre,
        }
    ).sort_by("created_ms", "post_id")
    tables = {
        "users": Table({"user_id": np.concatenate([viewers, accounts]), "name": names}),
        "topics": Table({"topic_id": np.arange(len(genres)), "name": genres}),
        "posts": posts,
        "impressions": _events(ratings, position=np.zeros(len(ratings), np.int32)),
    }
    likes = ratings.where(ratings["rating"] >= LIKED)
    tables["engagements"] = _events(likes, action=np.full(len(likes), int(Action.FAV), np.int8))
    report = LoadReport(
        {name: len(table) for name, table in tables.items()}, {"movies nobody rated": unrated}
    )
    return Dataset("movielens", tables, int(ratings["time_ms"][-1]) + 1, report)


def _events(ratings: Table, **columns: NDArray[np.integer]) -> Table:
    return Table(
        {
            "viewer_id": ratings["userId"],
            "post_id": ratings["movieId"],
            "time_ms": ratings["time_ms"],
            **columns,
        }
    )
