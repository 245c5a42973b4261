import numpy as np
import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.search.growing_files import GrowingArray, GrowingLines


def test_an_array_grows_and_is_taken_up_again(tmp_path):
    path, rows = tmp_path / "x.npy", np.arange(15, dtype=np.float32).reshape(5, 3)
    for kept in (0, 2):
        array = GrowingArray(path, (3,), "float32", kept)
        array.append(rows[kept:4])
        array.append(rows[4:])
        array.close()
        assert (np.load(path) == rows).all() and np.load(path, mmap_mode="r").shape == (5, 3)


def test_numbers_without_further_axes_are_rounded_as_asked(tmp_path):
    array = GrowingArray(tmp_path / "x.npy", (), "float16")
    array.append(np.array([1 / 3, 2]))
    array.close()
    assert np.load(tmp_path / "x.npy").tolist() == [float(np.float16(1 / 3)), 2]


def test_files_that_lost_their_end(tmp_path):
    (tmp_path / "x").write_bytes(b"one\ntwo")
    lines = GrowingLines(tmp_path / "x", 4)
    lines.append([b"2\n"])
    lines.close()
    assert (tmp_path / "x").read_bytes() == b"one\n2\n" and lines.bytes == 6
    with pytest.raises(
        InputError, match="x was written to byte 9 before. Received: 6 bytes. Remove"
    ):
        GrowingLines(tmp_path / "x", 9)
    with pytest.raises(InputError, match="y.npy was written to byte 140 before. Received: 0 bytes"):
        GrowingArray(tmp_path / "y.npy", (3,), "float32", 1)
