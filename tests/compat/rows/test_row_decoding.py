import json

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from kaleido_tf.compat.rows import row_decoding
from kaleido_tf.compat.rows.input_schema import parse_schema
from kaleido_tf.compat.rows.row_decoding import as_batch, decode_examples, decode_rows
from kaleido_tf.compat.rows.row_files import RowFiles
from kaleido_tf.errors import InputError
from tests import golden_rows

CASES = json.loads((golden_rows.FOLDER / "edge_behaviour.json").read_text())
OURS_REFUSE = {
    "vector_empty": "Received: 0",
    "vector_too_long": "Received: 4",
    "vector_too_short": "Received: 2",
}
# their lines are told, not kept
DESCRIBED = {"camouflage_35_values_schema_35", "camouflage_45_values_schema_35"}
REFUSALS = {
    "base64_standard_alphabet": r"line 1, column f: base64 of the URL-safe alphabet",
    "base64_wrong_length": r"line 1, column f: 5 values of 4 bytes needed. Received: 16 bytes",
    "blank_line_in_file": r"line 2: 2 columns .* Received: a blank line",
    "extra_column": r"line 1: 2 columns separated by tabs are needed .*Received: 3",
    "missing_column": r"line 1: 2 columns .* Received: 1",
    "float_in_int_scalar": (
        r"line 1, column c: a whole number of 32 bits is needed. Received: '1.0'"
    ),
    "float_in_int_vector": r"line 1, column d: a whole number is needed. Received: '2.0'",
    "int_scalar_out_of_int32": (
        r"line 1, column c: a whole number of 32 bits is needed. Received: '3000000000'"
    ),
    **{
        name: f"line 1, column d: 3 values needed. {message}"
        for name, message in OURS_REFUSE.items()
    },
}


def decode(text, schema):
    lines = [line for line in text.encode().split(b"\n") if line]
    return decode_rows(lines, parse_schema(schema), lambda row: f"F line {row + 1}")


@pytest.mark.parametrize("name", sorted(set(CASES) - DESCRIBED))
def test_edge_cases_as_the_original(name, tmp_path):
    case = CASES[name]
    (tmp_path / "rows").write_bytes(case["line"].encode())

    def read():
        rows = RowFiles(str(tmp_path / "rows"), parse_schema(case["schema"]))
        return rows.read(np.arange(len(rows)))

    if case["ok"] and name not in OURS_REFUSE:
        found = read()
        assert {key: array.tolist() for key, array in found.items()} == case["values"]
        assert {key: list(array.shape) for key, array in found.items()} == case["shapes"]
    else:
        with pytest.raises(InputError, match=REFUSALS[name]):
            read()


def test_camouflage_of_the_released_schema_has_45_values():
    schema = CASES["camouflage_45_values_schema_35"]["schema"]
    assert decode(",".join(["1"] * 45) + "\tx", schema)["img_loc_position_camouflage"].shape == (
        1,
        45,
    )
    with pytest.raises(
        InputError,
        match=(
            r"column img_loc_position_camouflage: 45 values \(nine boxes of five numbers; the"
            r" declared 35 is "
            r"a slip of the released schema\) needed. Received: 35"
        ),
    ):
        decode(",".join(["1"] * 35) + "\tx", schema)


def test_numbers_that_arrow_alone_would_refuse_or_take_otherwise():
    found = decode(
        " +1.5,,2. ,\t1e39,-1e-50,inf\t +7, -8,09\t +6 \n.5,1e-3,\t-0,3,4\t,1,2,3,,\t",
        "a:float:2,b:float:3,c:int:3,d:int:1",
    )
    assert found["a"].tolist() == [[1.5, 2.0], [0.5, np.float32(1e-3)]]
    np.testing.assert_array_equal(found["b"], np.float32([[np.inf, -0.0, np.inf], [-0.0, 3, 4]]))
    assert found["c"].tolist() == [[7, -8, 9], [1, 2, 3]] and found["d"].tolist() == [[6], [0]]


def test_floats_are_rounded_as_tensorflow_rounds_them():
    generator = np.random.default_rng(7)
    values = generator.normal(size=5000) * 10.0 ** generator.integers(-44, 38, 5000)
    texts = [
        f"{value:.{digits}g}" for value, digits in zip(values, generator.integers(1, 18, 5000))
    ]
    texts += [
        "1.00000017881393432617187499",
        "1.00000017881393432617187500",
        "1.00000017881393432617187501",
        "1e-46",
        "nan",
    ]
    found = decode(",".join(texts), f"a:float:{len(texts)}")["a"]
    with pytest.raises(InputError):
        decode(",".join(texts), f"a:float:{len(texts) - 1}")
    np.testing.assert_array_equal(found.reshape(-1), tf.strings.to_number(texts).numpy())


@pytest.mark.parametrize(
    "text, message",
    [
        ("1,2\tx\n3,4x\ty", r"F line 2, column a: a number is needed. Received: '4x'"),
        ("1, \tx", r"F line 1, column a: a number is needed. Received: ''"),
        ("1,2\tx\n,\ty", r"F line 2, column a: 2 values needed. Received: 0"),
    ],
)
def test_bad_numbers_are_named(text, message):
    with pytest.raises(InputError, match=message):
        decode(text, "a:float:2,b:str:1")


def test_hexadecimal_and_too_large_ints_are_refused():
    with pytest.raises(
        InputError, match="F line 1, column a: a whole number is needed. Received: '0x10'"
    ):
        decode("1,2,0x10,3", "a:int:4")
    with pytest.raises(InputError, match="Received: '9223372036854775808'"):
        decode("9223372036854775807,9223372036854775808", "a:int:2")


def test_columns_beyond_2_gb_come_in_chunks(monkeypatch):
    whole = row_decoding._arrow

    def in_chunks(fields, column, where):
        array = whole(fields, column, where)
        return pa.chunked_array([array.slice(0, 2), array.slice(2)])

    monkeypatch.setattr(row_decoding, "_arrow", in_chunks)
    found = decode("1,2\t1\n3,4,\t2\n 5,6\t\n7,8\t4", "a:float:2,b:int:1")
    assert found["a"].tolist() == [[1, 2], [3, 4], [5, 6], [7, 8]] and found["b"].tolist() == [
        [1],
        [2],
        [0],
        [4],
    ]
    with pytest.raises(InputError, match="F line 3, column a: a number is needed. Received: '5y'"):
        decode("1,2\t1\n3,4,\t2\n5y,6\t\n7,8\t4", "a:float:2,b:int:1")


def test_texts_and_text_vectors():
    found = decode('"a, b" \t,u,,v\nfé\tw,x', "a:str:1,b:str:2")
    assert found["a"].tolist() == [['"a, b" '], ["fé"]] and found["b"].tolist() == [
        ["u", "v"],
        ["w", "x"],
    ]
    for schema in ("a:str:1,b:int:2", "a:int:2,b:int:2"):
        with pytest.raises(
            InputError, match="F line 1, column a: UTF-8 text is needed. Received: .*0xff"
        ):
            decode_rows([b"\xff\t1,2"], parse_schema(schema), lambda row: f"F line {row + 1}")


@pytest.mark.parametrize(
    "field, message",
    [
        ("AACAPwAAAEA==", "base64 is needed. .*padding"),
        ("AACAPwAAAEA===", "base64 is needed. .*padding"),
        ("AACAPwAAAEAAA", "base64 is needed"),
        ("AACAPw==AAAAQA==", "base64 of the URL-safe alphabet"),
        ("AACA PwAAAEA", "base64 of the URL-safe alphabet"),
        ("AACAPwAAAA", "2 values of 4 bytes needed. Received: 7 bytes"),
    ],
)
def test_broken_base64_is_named(field, message):
    with pytest.raises(InputError, match=f"F line 1, column a: {message}"):
        decode(field, "a:base64:2")


def examples_of(name):
    """The golden rows as `tf.train.Example`s with plain lists."""
    columns, serialized = golden_rows.decoded(name), []
    for row in range(len(next(iter(columns.values())))):
        features = {}
        for key, array in columns.items():
            values = array[row].reshape(-1) if array.ndim > 1 else array[row : row + 1]
            if array.dtype == object:
                features[key] = tf.train.Feature(
                    bytes_list=tf.train.BytesList(value=[value.encode() for value in values])
                )
            elif array.dtype.kind == "f":
                features[key] = tf.train.Feature(float_list=tf.train.FloatList(value=values))
            else:
                features[key] = tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        serialized.append(
            tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
        )
    return serialized


@pytest.mark.parametrize("name", ["kaleidobert_pretrain", "kaleidobert_finetune", "all_scalar"])
def test_examples_give_what_text_rows_give(name):
    found = as_batch(
        decode_examples(examples_of(name), golden_rows.schema(name), str), golden_rows.schema(name)
    )
    golden_rows.assert_same(found, golden_rows.decoded(name))


def test_base64_in_examples():
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"AACAPwAAAEA"]))
    row = tf.train.Example(features=tf.train.Features(feature={"a": feature})).SerializeToString()
    assert decode_examples([row], parse_schema("a:base64:2"), str)["a"].tolist() == [[1.0, 2.0]]
    assert decode_examples([row], parse_schema("a:base64:1"), str)["a"].tolist() == [
        ["AACAPwAAAEA"]
    ]


@pytest.mark.parametrize(
    "schema, message",
    [
        ("a:int:1,b:float:2,c:str:1", r"F record 0, column b: 2 values needed. Received: 1"),
        (
            "a:int:1,b:float:1,d:str:1",
            r"F record 0, column d: 1 value needed. Received: no such column, only a, b, c",
        ),
        (
            "a:float:1,b:float:1,c:str:1",
            r"F record 0, column a: float values \(float_list\) are needed. Received: int64_list",
        ),
    ],
)
def test_examples_of_another_schema_are_named(schema, message):
    with pytest.raises(InputError, match=message):
        decode_examples(
            examples_of("all_scalar"), parse_schema(schema), lambda row: f"F record {row}"
        )


def test_no_example_and_too_large_scalars_are_named():
    with pytest.raises(
        InputError, match="F record 1: a tf.train.Example is needed. Received: 3 other bytes"
    ):
        decode_examples(
            [examples_of("all_scalar")[0], b"abc"],
            golden_rows.schema("all_scalar"),
            lambda row: f"F record {row}",
        )
    large = tf.train.Feature(int64_list=tf.train.Int64List(value=[3_000_000_000]))
    row = tf.train.Example(features=tf.train.Features(feature={"a": large})).SerializeToString()
    with pytest.raises(
        InputError,
        match="F record 0, column a: a whole number of 32 bits is needed. Received: 3000000000",
    ):
        decode_examples([row], parse_schema("a:int:1"), lambda row: f"F record {row}")
