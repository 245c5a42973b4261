import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.compat.rows.input_schema import parse_schema
from kaleido_tf.compat.rows.row_decoding import as_batch, decode_examples, decode_rows
from kaleido_tf.compat.rows.row_writing import encode_examples, encode_lines
from kaleido_tf.errors import InputError
from tests import golden_rows


@pytest.mark.parametrize("name", sorted(golden_rows.SETS))
def test_golden_rows_through_text_and_examples(name):
    schema, wanted = golden_rows.schema(name), golden_rows.decoded(name)
    lines = encode_lines(wanted, schema, str)
    golden_rows.assert_same(as_batch(decode_rows(lines, schema, str), schema), wanted)
    golden_rows.assert_same(
        as_batch(decode_examples(encode_examples(wanted, schema, str), schema, str), schema), wanted
    )


def test_every_float_survives_and_tensorflow_reads_it_alike():
    bits = np.random.default_rng(5).integers(0, 2**32, 30_000, dtype=np.uint32)
    values = np.concatenate(
        [
            bits.view(np.float32),
            np.float32([0, -0.0, np.inf, -np.inf, 1e-45, 3.4028235e38, 1e7, 1e-5]),
        ]
    )
    values = values[~np.isnan(values)].reshape(1, -1)
    schema = parse_schema(f"a:float:{values.shape[1]}")
    (line,) = encode_lines({"a": values}, schema, str)
    assert decode_rows([line], schema, str)["a"].tobytes() == values.tobytes()
    assert tf.strings.to_number(line.strip().split(b",")).numpy().tobytes() == values.tobytes()


def test_text_is_short():
    columns = {
        "a": np.float32([[0.1, 1.5, 2.0, -0.00001]]),
        "b": np.int32([[7]]),
        "c": np.array([['a, "b"']], object),
    }
    assert encode_lines(columns, parse_schema("c:str:1,b:int:1,a:float:4"), str) == [
        b'a, "b"\t7\t0.1,1.5,2,-0.00001\n'
    ]


@pytest.mark.parametrize("count", [1, 31, 32, 4097])
def test_float_lists_are_plain_protobuf(count):
    values = np.random.default_rng(count).normal(size=(1, count)).astype(np.float32)
    (content,) = encode_examples({"a": values}, parse_schema(f"a:float:{count}"), str)
    example = tf.train.Example.FromString(content)
    assert list(example.features.feature["a"].float_list.value) == values[0].tolist()


def test_floats_as_halves():
    values = np.float32([[0.5, -2.25, np.inf], [65504, 1e-3, 0]])
    schema = parse_schema("a:float:3")
    found = decode_examples(encode_examples({"a": values}, schema, str, {"a"}), schema, str, {"a"})[
        "a"
    ]
    assert (
        found.dtype == np.float32
        and found.tolist() == values.astype(np.float16).astype(np.float32).tolist()
    )
    values[1, 2] = -70000
    with pytest.raises(
        InputError,
        match=r"F 1, column a: numbers within float16 \(at most 65504\) .* Received: -70000",
    ):
        encode_examples({"a": values}, schema, lambda row: f"F {row}", {"a"})
    short = encode_examples({"a": values[:, :2]}, parse_schema("a:float:2"), str, {"a"})
    with pytest.raises(
        InputError, match="F 0, column a: 3 values of 2 bytes needed. Received: 4 bytes"
    ):
        decode_examples(short, schema, lambda row: f"F {row}", {"a"})


@pytest.mark.parametrize("row", [["x\ty"], ["x\ny"], ["x", "y,z"], ["x", ""]])
def test_texts_that_lines_cannot_hold_are_named(row):
    schema = f"a:str:{len(row)},b:int:1"
    with pytest.raises(InputError, match="F 0, column a: text without .* is needed"):
        encode_lines(
            {"a": np.array([row], object), "b": np.int32([[1]])},
            parse_schema(schema),
            lambda row: f"F {row}",
        )


def test_row_that_would_be_a_blank_line_is_named():
    with pytest.raises(InputError, match="F 1: text in some column is needed"):
        encode_lines(
            {"a": np.array(["x", ""], object)}, parse_schema("a:str:1"), lambda row: f"F {row}"
        )
