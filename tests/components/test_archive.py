"""Archives: whole or absent, typed, and honest about what is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from components.archive import pack_sparse, read_archive, unpack_sparse, write_archive
from components.embeddings.progress import Progress, progress_bar


def test_header_and_arrays_come_back(tmp_path):
    write_archive(tmp_path / "a.npz", "test/1", {"depth": 3}, {"x": np.arange(4)})
    header, arrays = read_archive(tmp_path / "a.npz", "test/1", ["x"])
    assert header["depth"] == 3
    np.testing.assert_array_equal(arrays["x"], np.arange(4))


def test_a_sparse_matrix_comes_back():
    matrix = sparse.csr_array(np.array([[0.0, 2.0, 0.0], [1.0, 0.0, 0.0]]))
    back = unpack_sparse("m", pack_sparse("m", matrix))
    np.testing.assert_array_equal(back.toarray(), matrix.toarray())


def test_another_version_is_refused_by_name(tmp_path):
    write_archive(tmp_path / "a.npz", "test/1", {}, {})
    with pytest.raises(ValueError, match="expected format test/2, got 'test/1'"):
        read_archive(tmp_path / "a.npz", "test/2")


def test_a_missing_array_is_named(tmp_path):
    write_archive(tmp_path / "a.npz", "test/1", {}, {"x": np.zeros(1)})
    with pytest.raises(ValueError, match="none named \\['y'\\]"):
        read_archive(tmp_path / "a.npz", "test/1", ["y"])


def test_a_cut_off_file_is_called_damaged(tmp_path):
    path = tmp_path / "a.npz"
    write_archive(path, "test/1", {}, {"x": np.arange(1000)})
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match="expected an archive of format test/1"):
        read_archive(path, "test/1")


def test_an_interrupted_write_leaves_the_old_archive(tmp_path):
    path = tmp_path / "a.npz"
    write_archive(path, "test/1", {"n": 1}, {})
    with pytest.raises(TypeError):
        write_archive(path, "test/1", {"n": object()}, {})
    assert read_archive(path, "test/1")[0]["n"] == 1
    assert [file.name for file in tmp_path.iterdir()] == ["a.npz"]


def test_the_progress_bar_draws_each_stage(capsys):
    with progress_bar() as listen:
        listen(Progress("first", 1, 2, {"loss": 0.5}))
        listen(Progress("second", 2, 2))
    shown = capsys.readouterr().err
    assert "first" in shown
    assert "second" in shown
