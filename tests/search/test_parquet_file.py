import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.search.index_changes import delete_products
from kaleido_tf.search.index_folder import open_index
from kaleido_tf.search.index_writing import IndexSettings, write_index
from kaleido_tf.search.parquet_file import write_parquet
from tests import small_index
from tests.small_index import block


def test_typed_columns_in_row_groups(tmp_path):
    parts = [
        block(
            ["A", "B", "C"],
            title=["x", None, "z"],
            price=[1, 2.5, None],
            stock=[3, 4, 2**40],
            sale=[True, False, None],
            tags=[["a", 1.0], "b", None],
            mixed=[1, "one", True],
            big=[2**70, 1, 2],
        ),
        block(["D"], seed=2, size=7),
    ]
    write_index(tmp_path / "i", lambda done: parts, IndexSettings("model", 7, "float32"), "digest")
    delete_products(tmp_path / "i", ["B"])
    index = open_index(tmp_path / "i")
    assert write_parquet(index, tmp_path / "x.parquet", rows_per_group=2) == 3
    file = pq.ParquetFile(tmp_path / "x.parquet")
    assert file.metadata.num_row_groups == 2
    table = file.read()
    assert dict(zip(table.schema.names, table.schema.types)) == {
        "id": pa.string(),
        "product_id": pa.string(),
        "vector": pa.list_(pa.float32()),
        "big": pa.string(),
        "mixed": pa.string(),
        "price": pa.int64(),  # 2.5 is of the product that is gone
        "sale": pa.bool_(),
        "size": pa.int64(),
        "stock": pa.int64(),
        "tags": pa.list_(pa.string()),
        "title": pa.string(),
    }
    rows = table.to_pylist()
    assert [row["id"] for row in rows] == ["A_0", "C_2", "D_0"]
    np.testing.assert_array_equal(
        [row.pop("vector") for row in rows], index.vectors_of(np.array([0, 2, 3]))
    )
    wanted = {
        "title": "z",
        "price": None,
        "stock": 2**40,
        "tags": None,
        "mixed": "true",
        "big": "2",
    }
    assert rows[1].items() >= wanted.items() and rows[0]["tags"] == ["a", "1"]
    assert rows[2]["size"] == 7 and rows[0]["size"] is None
    assert json.loads(table.schema.metadata[b"kaleido_tf"])["model"] == "model"


def test_hubness_is_a_column(tmp_path):
    index = open_index(small_index.write(tmp_path / "i", 9, dtype="float16", corrected=True))
    write_parquet(index, tmp_path / "x.parquet")
    table = pq.read_table(tmp_path / "x.parquet")
    assert table["hubness"].to_pylist() == index.hubness_of(np.arange(9)).tolist()
    assert table["price"].type == pa.float64()
    stored = np.array(table["vector"].to_pylist(), np.float32)
    np.testing.assert_array_equal(stored, index.vectors_of(np.arange(9)).astype(np.float32))


def test_fields_that_are_called_as_ours(tmp_path):
    parts = [block(["A"], vector="x", id=1)]
    write_index(tmp_path / "i", lambda done: parts, IndexSettings("model", 7), "digest")
    with pytest.raises(InputError, match="Received: id, vector"):
        write_parquet(open_index(tmp_path / "i"), tmp_path / "x.parquet")
    assert not (tmp_path / "x.parquet").exists()
