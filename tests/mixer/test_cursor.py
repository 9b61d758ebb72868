from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixer import Cursor, CursorCodec, CursorError, Direction, MixerError

KEY = b"0123456789abcdef"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)
CURSORS = st.builds(
    Cursor, st.sampled_from(Direction), st.dictionaries(st.text(max_size=6), JSON, max_size=4)
)


@given(cursor=CURSORS)
def test_what_was_given_out_comes_back(cursor):
    codec = CursorCodec(KEY, "timeline")
    text = codec.encode(cursor)
    assert codec.decode(text) == cursor
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(cursor=CURSORS, data=st.data())
def test_no_bit_can_be_changed(cursor, data):
    codec = CursorCodec(KEY, "timeline")
    text = codec.encode(cursor)
    raw = bytearray(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(CursorError, match="changed"):
        codec.decode(base64.urlsafe_b64encode(bytes(raw)).decode())


@given(text=st.text(max_size=60))
def test_anything_else_is_refused_with_one_error(text):
    with pytest.raises(CursorError) as caught:
        CursorCodec(KEY, "timeline").decode(text)
    assert isinstance(caught.value, MixerError)
    assert isinstance(caught.value, ValueError)


def test_a_cursor_stays_with_its_product_key_and_version():
    text = CursorCodec(KEY, "timeline").encode(Cursor(Direction.TOP))
    for codec, got in (
        (CursorCodec(KEY, "accounts"), "another product"),
        (CursorCodec(KEY[::-1], "timeline"), "another product or key"),
        (CursorCodec(KEY, "timeline", version=2), "of version 1, not 2"),
    ):
        with pytest.raises(CursorError, match=got):
            codec.decode(text)


def test_a_short_key_is_refused_and_a_key_is_never_shown():
    with pytest.raises(ValueError, match="at least 16 bytes, got 3"):
        CursorCodec(b"abc", "timeline")
    assert "0123" not in repr(CursorCodec(KEY, "timeline"))
