import json
import shutil

import numpy as np
import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.search import index_folder
from kaleido_tf.search.index_folder import open_index
from tests import small_index


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_a_fresh_index_is_plain_files(tmp_path, dtype):
    small_index.write(tmp_path, 23, dtype=dtype, corrected=True)
    vectors = np.load(tmp_path / "embeddings.npy")
    assert vectors.shape == (23, 7) and vectors.dtype == dtype
    np.testing.assert_array_equal(vectors, small_index.unit_vectors(23).astype(dtype))
    assert np.load(tmp_path / "hubness.npy").shape == (23,)
    lines = (tmp_path / "items.jsonl").read_text().splitlines()
    wanted = {"product_id": "P004", "image_id": "P004_4", "colour": "Navy", "price": 4.5}
    assert len(lines) == 23 and json.loads(lines[4]) == wanted
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert (
        manifest.items()
        >= {
            "version": 1,
            "model": "model",
            "metric": "cosine",
            "dimension": 7,
            "dtype": dtype,
            "count": 23,
            "deleted": 0,
            "generation": 1,
            "corrected_for_hubs": True,
            "calibration": None,
        }.items()
    )
    names = {"embeddings.npy", "hubness.npy", "items.jsonl", "manifest.json", "settings.json"}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_vectors_are_mapped_and_rows_of_products_found(tmp_path, monkeypatch):
    monkeypatch.setattr(index_folder, "MAPPED_FROM", 1)
    index = open_index(small_index.write(tmp_path, 12, photos=3, corrected=True))
    assert all(isinstance(vectors, np.memmap) for _, vectors, _ in index.blocks(4))
    assert [(first, len(v), len(h)) for first, v, h in index.blocks(5)] == [
        *((0, 5, 5), (5, 5, 5), (10, 2, 2))
    ]
    rows, missing = index.rows_of(["P002", "Q", "P000"])
    assert rows.tolist() == [0, 1, 2, 6, 7, 8] and missing == ["Q"]
    assert index.items[7]["image_id"].startswith("P002_")
    np.testing.assert_array_equal(index.vectors_of(np.array([11, 2])), _vectors(12)[[11, 2]])


def _vectors(count):
    return small_index.unit_vectors(count)


def test_one_item(tmp_path):
    index = open_index(small_index.write(tmp_path, 1))
    assert len(index) == 1 and index.items[0]["product_id"] == "P000"


def test_folders_that_are_no_index(tmp_path):
    with pytest.raises(InputError, match=r"An index \(a folder with manifest.json\) is needed"):
        open_index(tmp_path / "none")
    (tmp_path / "manifest.json").write_text('{"version": 1, "name": "an app"}')
    with pytest.raises(
        InputError, match="needed version 1 with metric cosine. Received: version 1"
    ):
        open_index(tmp_path)
    (tmp_path / "manifest.json").write_text('{"version": 1, "metric": "cosine"}')
    with pytest.raises(
        InputError, match="manifest.json is broken .*'model'.* Write the index anew"
    ):
        open_index(tmp_path)


def broken(tmp_path, name, change):
    """A copy of a small index in which a file was changed."""
    folder = tmp_path / "broken"
    shutil.rmtree(folder, ignore_errors=True)
    if not (tmp_path / "index").is_dir():
        small_index.write(tmp_path / "index", 9)
    shutil.copytree(tmp_path / "index", folder)
    (folder / name).write_bytes(change((folder / name).read_bytes()))
    return folder


def test_files_of_another_size_are_named(tmp_path):
    for name in ("embeddings.npy", "items.jsonl"):
        folder = broken(tmp_path, name, lambda content: content[:-3])
        with pytest.raises(InputError, match=rf"{name}: needed \d+ bytes, .*Copy the index again"):
            open_index(folder)
    (folder / "items.jsonl").unlink()
    with pytest.raises(InputError, match="items.jsonl: needed .* Received: nothing"):
        open_index(folder)


def test_broken_lines_are_named(tmp_path):
    folder = broken(
        tmp_path, "items.jsonl", lambda c: c.replace(b'"product_id": "P003', b'"product_ix": "P003')
    )
    with pytest.raises(
        InputError, match="items.jsonl line 4: needed a JSON object with product_id"
    ):
        open_index(folder).rows_of([])
    folder = broken(tmp_path, "items.jsonl", lambda c: c.replace(b"}\n", b"} ", 1))
    with pytest.raises(InputError, match="needed 9 whole lines. Received: 8"):
        open_index(folder).items[2]


def test_arrays_of_another_kind_are_refused(tmp_path):
    folder = broken(tmp_path, "embeddings.npy", lambda c: c.replace(b"<f4", b"<i4"))
    with pytest.raises(InputError, match=r"needed float32 of shape \[9, 7\]. Received: int32"):
        open_index(folder)
    folder = broken(tmp_path, "embeddings.npy", lambda c: b"GIF" + c[3:])
    with pytest.raises(InputError, match="embeddings.npy is no .npy file"):
        open_index(folder)


def test_a_manifest_cannot_lead_to_other_files(tmp_path):
    folder = broken(tmp_path, "manifest.json", lambda c: c.replace(b"items.jsonl", b"../x.jsonl"))
    with pytest.raises(InputError, match="manifest.json is broken"):
        open_index(folder)
