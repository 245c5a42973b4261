import concurrent.futures
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.compat.rows import file_pieces
from kaleido_tf.compat.rows.input_schema import parse_schema
from kaleido_tf.compat.rows.row_files import RowFiles
from kaleido_tf.errors import InputError
from tests import golden_rows

SCHEMA = parse_schema("a:int:1,b:int:3")


def rows_of(tmp_path, content: bytes, name="rows.csv", schema=SCHEMA):
    (tmp_path / name).write_bytes(content)
    return RowFiles(str(tmp_path / name), schema)


def examples(path, count, first=0):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number in range(first, first + count):
            features = {"a": [number], "b": [number, 2, 3]}
            lists = {
                name: tf.train.Feature(int64_list=tf.train.Int64List(value=values))
                for name, values in features.items()
            }
            writer.write(
                tf.train.Example(features=tf.train.Features(feature=lists)).SerializeToString()
            )


@pytest.mark.parametrize("name", sorted(golden_rows.SETS))
def test_golden_rows_are_read_as_by_the_original(name):
    rows, wanted = (
        RowFiles(golden_rows.list_file(name), golden_rows.schema(name)),
        golden_rows.decoded(name),
    )
    golden_rows.assert_same(rows.read(np.arange(len(rows))), wanted)
    order = np.random.default_rng(3).permutation(len(rows))
    golden_rows.assert_same(rows.read(order), wanted, order)
    golden_rows.assert_same(rows.read(order[:0]), wanted, order[:0])
    first, *_ = pathlib.Path(golden_rows.list_file(name)).read_text().split("\n")
    assert rows.listed_count == (int(first) if first.isdigit() else None)


def test_two_files_are_one_table():
    rows = RowFiles(
        golden_rows.list_file("kaleidobert_finetune"), golden_rows.schema("kaleidobert_finetune")
    )
    counts = golden_rows.SETS["kaleidobert_finetune"]["rows_per_file"]
    assert len(rows) == sum(counts) and len(rows.files) == len(counts)
    assert rows.where(counts[0] - 1).endswith(f"part-00000.csv line {counts[0]}")
    assert rows.where(counts[0]).endswith("part-00001.csv line 1")
    wanted = golden_rows.decoded("kaleidobert_finetune")
    golden_rows.assert_same(rows.read(np.array([-1, 0, -1]) % len(rows)), wanted, [-1, 0, -1])


def test_threads_read_at_once():
    rows, wanted = (
        RowFiles(
            golden_rows.list_file("kaleidobert_pretrain"),
            golden_rows.schema("kaleidobert_pretrain"),
        ),
        golden_rows.decoded("kaleidobert_pretrain"),
    )
    orders = [np.random.default_rng(seed).permutation(len(rows))[:7] for seed in range(24)]
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        for order, found in zip(orders, pool.map(rows.read, orders), strict=True):
            golden_rows.assert_same(found, wanted, order)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends(tmp_path, end, last):
    rows = rows_of(tmp_path, end.join([b"1\t1,2,3", b"22\t4,5,6", b"3\t7,8,9"]) + end * last)
    assert len(rows) == 3
    assert rows.read(np.array([2, 1]))["b"].tolist() == [[7, 8, 9], [4, 5, 6]]


@pytest.mark.parametrize("block", [1, 2, 7, 1000])
def test_index_does_not_depend_on_its_blocks(tmp_path, monkeypatch, block):
    monkeypatch.setattr(file_pieces, "_BLOCK", block)
    rows = rows_of(tmp_path, b"1\t1,2,3\n22\t4,5,6\n333\t7,8,9")
    assert rows.read(np.arange(3))["a"].tolist() == [[1], [22], [333]]
    with pytest.raises(
        InputError, match="rows.csv line 2: 2 columns separated by tabs are needed .*Received: 3"
    ):
        rows_of(tmp_path, b"1\t1,2,3\n22\t4\t5,6\n333\t7,8,9\n")


@pytest.mark.parametrize(
    "content, message",
    [
        (b"1\t1,2,3\n\n2\t4,5,6\n", "line 2: 2 columns .* Received: a blank line"),
        (b"1\t1,2,3\n\n", "line 2: 2 columns .* Received: a blank line"),
        (b"1\t1,2,3\n2 4,5,6\n", "line 2: 2 columns .* Received: 1"),
        (b"1\t1,2,3\n2\t4,5,6\t", "line 2: 2 columns .* Received: 3"),
        (b"", r"Rows are needed. 1 file\(s\) hold none: .*rows.csv"),
    ],
)
def test_wrong_lines_are_found_by_the_index(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        rows_of(tmp_path, content)


def test_wrong_values_are_named_with_their_line(tmp_path):
    rows = rows_of(tmp_path, b"1\t1,2,3\n2\t4,5\n3\t7,8,9\n")
    assert rows.read(np.array([2, 0]))["a"].tolist() == [[3], [1]]
    with pytest.raises(InputError, match="rows.csv line 2, column b: 3 values needed. Received: 2"):
        rows.read(np.array([2, 0, 1]))
    one_column = rows_of(tmp_path, b"1\n\r\n2\n", schema=parse_schema("a:int:1"))
    with pytest.raises(InputError, match="rows.csv line 2: 1 columns .* Received: a blank line"):
        one_column.read(np.arange(3))


def test_rows_that_do_not_exist(tmp_path):
    rows = rows_of(tmp_path, b"1\t1,2,3\n")
    for wanted in ([1], [-1]):
        with pytest.raises(IndexError, match="rows 0 to 0 exist"):
            rows.read(np.array(wanted))


def test_file_that_became_shorter(tmp_path):
    rows = rows_of(tmp_path, b"1\t1,2,3\n2\t4,5,6\n")
    (tmp_path / "rows.csv").write_bytes(b"1\t1,2,3\n")
    with pytest.raises(
        InputError, match="rows.csv line 2: 7 bytes are needed. Received: 0, the file has changed"
    ):
        rows.read(np.array([1]))


def test_digest_says_which_rows(tmp_path):
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        rows_of(tmp_path / name, b"1\t1,2,3\n2\t4,5,6\n", "a.csv")
        rows_of(tmp_path / name, b"3\t7,8,9\n", "b.csv")
    same = [RowFiles(str(tmp_path / name), SCHEMA).digest for name in ("x", "y")]
    assert same[0] == same[1] and -(2**63) <= same[0] < 2**63
    shutil.move(tmp_path / "y" / "a.csv", tmp_path / "y" / "c.csv")  # another order
    others = [
        RowFiles(str(tmp_path / "y"), SCHEMA).digest,
        rows_of(tmp_path, b"1\t1,2,3\n2\t4,5,7\n").digest,
        rows_of(tmp_path, b"1\t1,2,3\n22\t4,5,").digest,
    ]
    assert len({same[0], *others}) == 4


def test_rows_kept_as_examples(tmp_path):
    examples(tmp_path / "a.tfrecord", 5)
    examples(tmp_path / "b", 3, first=5)
    (tmp_path / "all.list_tfrecord").write_text("8\na.tfrecord\nb\n")
    rows = RowFiles(str(tmp_path / "all.list_tfrecord"), SCHEMA)
    assert len(rows) == 8 and rows.listed_count == 8 and rows.where(6).endswith("b record 1")
    found = rows.read(np.array([7, 0, 4]))
    assert found["a"].tolist() == [[7], [0], [4]] and found["a"].dtype == np.int32
    assert found["b"].tolist() == [[7, 2, 3], [0, 2, 3], [4, 2, 3]]
    assert rows.read(np.array([], np.int64))["b"].shape == (0, 3)
    wrong = RowFiles(str(tmp_path / "a.tfrecord"), parse_schema("a:int:1,b:int:4"))
    with pytest.raises(
        InputError, match="a.tfrecord record 3, column b: 4 values needed. Received: 3"
    ):
        wrong.read(np.array([3]))


def test_damaged_and_foreign_record_files_are_named(tmp_path):
    examples(tmp_path / "a.tfrecord", 5)
    content = (tmp_path / "a.tfrecord").read_bytes()
    for damaged in (
        content[:-3],
        content.replace(b"\x02\x03", b"\x02\x04", 1),
        b"1\t1,2,3\n2\t4,5,6\n",
    ):
        with pytest.raises(
            InputError, match="a.tfrecord: a whole TFRecord file is needed. Damaged or none"
        ):
            rows_of(tmp_path, damaged, "a.tfrecord")
    rows_of(tmp_path, b"1\t1,2,3\n", "b.csv")
    with pytest.raises(
        InputError, match="Either text rows or .*tfrecord files are needed. Received both"
    ):
        examples(tmp_path / "a.tfrecord", 5)
        RowFiles(str(tmp_path), SCHEMA)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(InputError, match="Nothing matches"):
        RowFiles(str(tmp_path / "none*"), SCHEMA)
    with pytest.raises(InputError, match=r"\(\*.csv or \*.tfrecord\) is needed. None in"):
        RowFiles(str(tmp_path), SCHEMA)
    (tmp_path / "empty.list_csv").write_text("")
    with pytest.raises(InputError, match="empty list"):
        RowFiles(str(tmp_path / "empty.list_csv"), SCHEMA)
    rows = rows_of(tmp_path, b"1\t1,2,3\n")
    pathlib.Path(rows.files[0]).unlink()
    with pytest.raises(InputError, match="rows.csv cannot be read: No such file"):
        rows.read(np.array([0]))


def test_digests_say_which_rows_share_columns(tmp_path):
    text = rows_of(tmp_path, b"1\t1,2,3\n2\t1,2,3\n1\t1,2,4\n")
    of_b = text.digests(np.array([2, 0, 1]), {"b"})
    assert of_b[1] == of_b[2] != of_b[0] and len(set(text.digests(np.arange(3), {"a", "b"}))) == 3
    for name, first in (("a.tfrecord", 4), ("b.tfrecord", 4), ("c.tfrecord", 5)):
        examples(tmp_path / name, 1, first)
    records = RowFiles(str(tmp_path / "*.tfrecord"), SCHEMA)
    of_b = records.digests(np.arange(3), {"b"})
    assert of_b[0] == of_b[1] != of_b[2]


def test_byte_order_mark_is_no_part_of_the_first_row(tmp_path):
    rows = rows_of(tmp_path, b"\xef\xbb\xbf7\t1,2,3\n8\t4,5,6")
    assert len(rows) == 2 and rows.read(np.array([1, 0]))["a"].reshape(-1).tolist() == [8, 7]
    with pytest.raises(InputError, match="rows.csv: text in UTF-8 is needed. Received: UTF-16"):
        rows_of(tmp_path, "7\t1,2,3\n".encode("utf-16"))


def test_rows_of_a_written_folder_are_those_of_its_list(tmp_path):
    (tmp_path / "rows-1.csv").write_text("a\t1,2\n")
    (tmp_path / "rows.list_csv").write_text("rows-1.csv\n")
    for name in ("._rows-1.csv", "rows-1 (1).csv"):
        (tmp_path / name).write_text("Mac OS X")
    assert RowFiles(str(tmp_path), parse_schema("x:str:1,y:int:2")).files == (
        str(tmp_path / "rows-1.csv"),
    )
