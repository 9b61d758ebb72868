from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.stores.types import Account, Viewer
from components.transforms.tracking import TokenCodec, TokenError, TrackingToken
from mixer import Candidates, Provenance, Request

CODEC = TokenCodec(b"sixteen or more!", "people")


@given(st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=8), max_size=4))
def test_a_token_says_what_was_written(facts):
    assert CODEC.read(CODEC.write(facts)) == facts


@given(st.integers(0, 200), st.sampled_from("abcXYZ019-_"))
def test_a_changed_token_is_refused(at, letter):
    token = CODEC.write({"id": 3, "request": "r"})
    at %= len(token) - 1  # the last letter has bits that mean nothing
    changed = token[:at] + letter + token[at + 1 :]
    if changed != token:
        with pytest.raises(TokenError):
            CODEC.read(changed)


@pytest.mark.parametrize(
    "other",
    [
        TokenCodec(b"another secret !", "people"),
        TokenCodec(b"sixteen or more!", "posts"),
        TokenCodec(b"sixteen or more!", "people", version=2),
    ],
)
def test_other_keys_products_and_versions_refuse_it(other):
    with pytest.raises(TokenError):
        other.read(CODEC.write({"id": 3}))


@pytest.mark.parametrize("nonsense", ["", "not a token!", "abc", "\u00e9\u00e9"])
def test_nonsense_is_refused(nonsense):
    with pytest.raises(TokenError):
        CODEC.read(nonsense)


def test_short_keys_are_refused():
    with pytest.raises(ValueError, match="at least 16 bytes, got 5"):
        TokenCodec(b"short", "people")


def test_each_result_says_where_it_came_from():
    batch = Candidates(Account, {Account.id: np.array([7, 8]), Account.row: np.array([0, 1])})
    batch = batch.stamped(Provenance.of(("popular", "trending"), [1, 1], batch))
    viewer = Viewer(5, request=Request(id="r", now_ms=9))
    written = TrackingToken(CODEC, Account.tracking_token).transform(viewer, batch)[Account.tracking_token]
    common = {"request": "r", "viewer": 5, "ms": 9}
    assert [CODEC.read(token) for token in written] == [
        {**common, "id": 7, "place": 0, "source": "popular"},
        {**common, "id": 8, "place": 1, "source": "trending"},
    ]
