"""The feature store gives back what was written, for any ids, from a file that is whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from components.stores.live.features import FeatureStore

IDS = st.integers(-(2**63), 2**63 - 1)


@pytest.fixture
def three(tmp_path):
    path = tmp_path / "features"
    FeatureStore.write(path, [30, 10, 20], ["age", "likes"], [[3, 33], [1, 11], [2, 22]])
    return path


@given(ids=st.lists(IDS, unique=True, max_size=20), asked=st.lists(IDS, max_size=20), data=st.data())
def test_every_id_has_its_own_row_and_a_stranger_has_the_default(ids, asked, data, tmp_path_factory):
    values = data.draw(arrays.arrays(np.float32, (len(ids), 3), elements=st.floats(width=32)))
    path = tmp_path_factory.mktemp("features") / "file"
    FeatureStore.write(path, ids, ["a", "b", "c"], values)
    store = FeatureStore.open(path)
    naive = dict(zip(ids, values, strict=True))
    wanted = [*asked, *ids]
    expected = np.array([naive.get(id, np.full(3, np.nan)) for id in wanted], np.float32).reshape(-1, 3)
    np.testing.assert_array_equal(store.get(wanted), expected)
    filled = np.array([naive.get(id, np.full(3, -1.0)) for id in wanted], np.float32).reshape(-1, 3)
    np.testing.assert_array_equal(store.get(wanted, default=-1.0), filled)


def test_features_are_chosen_by_name_in_the_order_asked(three):
    store = FeatureStore.open(three)
    assert store.get([20, 30], ["likes", "age"]).tolist() == [[22, 2], [33, 3]]
    assert store.column("likes").tolist() == [11, 22, 33]
    assert store.get([]).shape == (0, 2)


def test_an_unknown_feature_is_told_with_the_known_ones(three):
    with pytest.raises(KeyError, match="no feature 'height'; features: age, likes"):
        FeatureStore.open(three).get([10], ["height"])


def test_a_reader_keeps_what_it_opened_while_the_file_is_replaced(three):
    old = FeatureStore.open(three)
    FeatureStore.write(three, [10], ["age"], [[100]])
    assert old.get([10]).tolist() == [[1, 11]]
    assert FeatureStore.open(three).get([10]).tolist() == [[100]]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(three):
    class Broken:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("gone")

    with pytest.raises(RuntimeError, match="gone"):
        FeatureStore.write(three, [10], ["age"], Broken())
    assert FeatureStore.open(three).get([10]).tolist() == [[1, 11]]
    assert [file.name for file in three.parent.iterdir()] == [three.name]


@pytest.mark.parametrize(
    ("ids", "names", "values", "message"),
    [
        ([1, 1], ["a"], [[1], [2]], "distinct ids, got 1 repeated"),
        ([1], ["a", "a"], [[1, 2]], "distinct names"),
        ([1, 2], ["a"], [[1]], r"shape \(2, 1\), got \(1, 1\)"),
    ],
)
def test_what_does_not_fit_is_refused(ids, names, values, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        FeatureStore.write(tmp_path / "features", ids, names, values)
    assert not list(tmp_path.iterdir())


def test_a_file_cut_short_names_itself_and_both_sizes(three):
    data = three.read_bytes()
    three.write_bytes(data[:-4])
    with pytest.raises(ValueError, match=rf"features: expected {len(data)} bytes .* got {len(data) - 4}"):
        FeatureStore.open(three)


@pytest.mark.parametrize(("place", "message"), [(0, "expected a feature store"), (20, "checksum")])
def test_a_damaged_header_is_refused(three, place, message):
    data = bytearray(three.read_bytes())
    data[place] ^= 1
    three.write_bytes(bytes(data))
    with pytest.raises(ValueError, match=message):
        FeatureStore.open(three)


def test_ids_out_of_order_are_refused(three):
    data = bytearray(three.read_bytes())
    at = data.index((20).to_bytes(8, "little"))
    data[at] = 5
    three.write_bytes(bytes(data))
    with pytest.raises(ValueError, match="ascending"):
        FeatureStore.open(three)
