import json

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.compat.rows import row_conversion
from kaleido_tf.compat.rows.input_schema import format_schema, parse_schema
from kaleido_tf.compat.rows.row_conversion import schema_of, to_csv, to_tfrecord
from kaleido_tf.compat.rows.row_files import RowFiles
from kaleido_tf.errors import InputError
from tests import golden_rows

PAIRS = parse_schema(
    "text_prod_id:str:1,image_feature:float:6,image_mask:int:2,masked_lm_weights:float:3,label:int:1"
)


def golden(name):
    return RowFiles(golden_rows.list_file(name), golden_rows.schema(name))


def pairs(tmp_path, images, name="pairs.csv"):
    """Rows whose images are those of the numbers `images`; each text is another one."""
    lines = [
        f"T{n}\t{image}.5,{','.join(['0.1'] * 5)}\t1,0\t{n}.25,1,0\t{n % 2}\n"
        for n, image in enumerate(images)
    ]
    (tmp_path / name).write_text("".join(lines))
    return RowFiles(str(tmp_path / name), PAIRS)


def all_of(rows):
    return rows.read(np.arange(len(rows)))


@pytest.mark.parametrize("name", sorted(golden_rows.SETS))
def test_golden_sets_to_tfrecord_and_back(name, tmp_path):
    schema, wanted = golden_rows.schema(name), golden_rows.decoded(name)
    to_tfrecord(golden(name), str(tmp_path / "records"), rows_per_shard=3)
    converted = RowFiles(str(tmp_path / "records"), schema)
    golden_rows.assert_same(all_of(converted), wanted)
    order = np.random.default_rng(1).permutation(len(converted))
    golden_rows.assert_same(converted.read(order), wanted, order)
    to_csv(converted, str(tmp_path / "text"), rows_per_shard=5)
    text = RowFiles(str(tmp_path / "text" / "rows.list_csv"), schema)
    golden_rows.assert_same(all_of(text), wanted)
    assert text.listed_count == len(text) == len(converted)


@pytest.mark.parametrize("name", ["kaleidobert_finetune", "fashionbert_train", "edge_ok"])
def test_golden_sets_as_halves(name, tmp_path):
    wanted = golden_rows.decoded(name)
    to_tfrecord(golden(name), str(tmp_path), "float16")
    for key, array in all_of(RowFiles(str(tmp_path), golden_rows.schema(name))).items():
        halved = wanted[key].dtype == np.float32 and wanted[key].shape[1] > 1
        assert array.dtype == wanted[key].dtype, key
        np.testing.assert_array_equal(
            array, wanted[key].astype(np.float16).astype(np.float32) if halved else wanted[key]
        )


def test_shared_images_are_stored_once(tmp_path):
    source = pairs(tmp_path, [4, 9, 4, 4, 7, 9, 2])
    done = to_tfrecord(source, str(tmp_path / "out"), rows_per_shard=3)
    dataset = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert (done.rows, done.images) == (dataset["rows"], dataset["images"]) == (7, 4)
    assert dataset["image_columns"] == ["image_feature", "image_mask"] and dataset[
        "input_schema"
    ] == format_schema(PAIRS)
    assert dataset["row_shards"] == {
        f"rows-0000{n}-of-00003.tfrecord": count for n, count in enumerate([3, 3, 1])
    }
    assert dataset["image_shards"] == {
        "images-00000-of-00002.tfrecord": 3,
        "images-00001-of-00002.tfrecord": 1,
    }
    golden_rows.assert_same(all_of(RowFiles(str(tmp_path / "out"), PAIRS)), all_of(source))
    assert done.bytes_before == (tmp_path / "pairs.csv").stat().st_size
    assert done.bytes_after == sum(
        path.stat().st_size for path in (tmp_path / "out").glob("*.tfrecord")
    )
    assert not (tmp_path / "out" / "image_of_row.npy").exists()


@pytest.mark.parametrize(
    "images, apart",
    [([0, 1, 2, 3, 4, 5, 6, 7, 8, 8], True), ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9], False)],
)
def test_images_stay_in_the_rows_if_few_are_shared(tmp_path, images, apart):
    source = pairs(tmp_path, images)
    assert to_tfrecord(source, str(tmp_path / "out")).images == (9 if apart else None)
    dataset = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert dataset["images_are"] == (
        "records of their own" if apart else "in the rows: too few rows share one"
    )
    golden_rows.assert_same(all_of(RowFiles(str(tmp_path / "out"), PAIRS)), all_of(source))


def test_any_reader_of_examples_can_read_float32(tmp_path):
    source = pairs(tmp_path, [0, 1, 2])
    to_tfrecord(source, str(tmp_path / "out"))
    row, *_ = tf.data.TFRecordDataset(
        str(tmp_path / "out" / "rows-00000-of-00001.tfrecord")
    ).as_numpy_iterator()
    features = tf.train.Example.FromString(row).features.feature
    assert (
        list(features["image_feature"].float_list.value)
        == all_of(source)["image_feature"][0].tolist()
    )
    assert features["text_prod_id"].bytes_list.value == [b"T0"] and features[
        "label"
    ].int64_list.value == [0]
    golden_rows.assert_same(
        all_of(RowFiles(str(tmp_path / "out" / "rows-*"), PAIRS)), all_of(source)
    )


def test_columns_by_name_in_any_order(tmp_path):
    source = pairs(tmp_path, [3, 3, 1])
    to_tfrecord(source, str(tmp_path / "out"))
    assert (
        schema_of(str(tmp_path / "out")) == PAIRS and schema_of(str(tmp_path / "pairs.csv")) is None
    )
    some = RowFiles(str(tmp_path / "out"), parse_schema("image_mask:int:2,text_prod_id:str:1"))
    assert some.read(np.array([1]))["text_prod_id"].tolist() == [["T1"]]
    for schema, message in (
        ("image_mask:int:3", "asks .* for image_mask:int:3. Received: image_mask:int:2"),
        ("other:int:2", "for other:int:2. Received: no such column, only text_prod_id, "),
    ):
        with pytest.raises(InputError, match=message):
            RowFiles(str(tmp_path / "out"), parse_schema(schema))


@pytest.mark.parametrize("to", ["tfrecord", "csv"])
def test_interrupted_conversion_goes_on(tmp_path, monkeypatch, to):
    source, out = pairs(tmp_path, [5, 5, 6, 6, 7, 8, 8]), tmp_path / "out"

    def convert():
        return (to_tfrecord if to == "tfrecord" else to_csv)(source, str(out), rows_per_shard=2)

    written, name = [], "write_shard" if to == "tfrecord" else "write_bytes"
    write = getattr(row_conversion, name)

    def killed(path, content):
        if path.name.startswith(("rows-00001", "rows-00002")):
            raise KeyboardInterrupt
        return write(path, content)

    def noted(path, content):
        written.append(path.name)
        return write(path, content)

    monkeypatch.setattr(row_conversion, name, killed)
    with pytest.raises(KeyboardInterrupt):
        convert()
    kept = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    assert f"rows-00000-of-00004.{to}" in kept and f"rows-00001-of-00004.{to}" not in kept
    if to == "tfrecord":
        with pytest.raises(
            InputError, match="Converted rows need their dataset.json.*start its conversion again"
        ):
            RowFiles(str(out), PAIRS)
    monkeypatch.setattr(row_conversion, name, noted)
    convert()
    assert [n for n in written if n.startswith("rows-0")] == [
        f"rows-0000{n}-of-00004.{to}" for n in (1, 2, 3)
    ]
    assert not [n for n in written if n.startswith("images")]
    assert all((out / n).stat().st_mtime_ns == then for n, then in kept.items() if n.endswith(to))
    golden_rows.assert_same(all_of(RowFiles(str(out), PAIRS)), all_of(source))


def test_finished_conversion_is_left_alone(tmp_path, capsys):
    source = pairs(tmp_path, [5, 5, 6])
    first = to_tfrecord(source, str(tmp_path / "out"))
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    again = to_tfrecord(source, str(tmp_path / "out"))
    assert "complete already" in capsys.readouterr().out
    assert (again.rows, again.images, again.bytes_after) == (
        first.rows,
        first.images,
        first.bytes_after,
    )
    assert before == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}


def test_folder_of_other_settings(tmp_path):
    source = pairs(tmp_path, [5, 5, 6])
    to_tfrecord(source, str(tmp_path / "out"))
    with pytest.raises(
        InputError, match="other settings .*float_type: 'float32' there, 'float16' now"
    ):
        to_tfrecord(source, str(tmp_path / "out"), "float16")
    with pytest.raises(InputError, match="other settings .*source_digest"):
        to_tfrecord(pairs(tmp_path, [5, 5, 7]), str(tmp_path / "out"))
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "rows-00000-of-00001.csv").write_text("")
    with pytest.raises(InputError, match="rows of unknown origin"):
        to_csv(source, str(tmp_path / "text"))


@pytest.mark.parametrize("shared", [True, False])
def test_number_outside_float16_is_named(tmp_path, shared):
    source = pairs(tmp_path, [5, 99999, 5 if shared else 6])
    with pytest.raises(
        InputError,
        match=(
            r"pairs.csv line 2, column image_feature: numbers within float16 .* Received: 99999.5"
        ),
    ):
        to_tfrecord(source, str(tmp_path / "out"), "float16")
    with pytest.raises(
        InputError, match="--float_type must be one of float32, float16. Received: int8"
    ):
        to_tfrecord(source, str(tmp_path / "out"), "int8")


def test_damaged_converted_folders_are_named(tmp_path):
    out = tmp_path / "out"
    to_tfrecord(pairs(tmp_path, [5, 5, 6, 6, 7]), str(out), rows_per_shard=2)
    shard = out / "rows-00001-of-00003.tfrecord"
    content = shard.read_bytes()
    shard.write_bytes(content[: len(content) // 2])
    with pytest.raises(
        InputError,
        match=(
            r"rows-00001-of-00003.tfrecord: 2 records are needed \(its dataset.json\). Received: 1"
        ),
    ):
        RowFiles(str(out), PAIRS)
    shard.unlink()
    with pytest.raises(
        InputError,
        match="1 of the 3 shards .* cannot be read: rows-00001-of-00003.tfrecord is missing",
    ):
        RowFiles(str(out), PAIRS)
    shard.write_bytes(content)
    dataset = json.loads((out / "dataset.json").read_text())
    (out / "dataset.json").write_text(
        json.dumps({**dataset, "image_shards": {"images-00000-of-00002.tfrecord": 2}})
    )
    with pytest.raises(InputError, match="record 0: an image of 2 is needed. Received: number 2"):
        all_of(RowFiles(str(out), PAIRS))
    del dataset["row_shards"]
    (out / "dataset.json").write_text(json.dumps(dataset))
    with pytest.raises(
        InputError,
        match="dataset.json must be as data_prep.convert_easytransfer wrote it: 'row_shards'",
    ):
        RowFiles(str(out), PAIRS)


def test_column_of_a_taken_name(tmp_path):
    (tmp_path / "a.csv").write_text("1\n")
    with pytest.raises(InputError, match="may have no column image_number"):
        to_tfrecord(
            RowFiles(str(tmp_path / "a.csv"), parse_schema("image_number:int:1")),
            str(tmp_path / "out"),
        )


def test_count_of_the_list_file_is_kept(tmp_path):
    pairs(tmp_path, [5, 5, 6])
    (tmp_path / "rows.list_csv").write_text("2\npairs.csv\n")
    to_tfrecord(RowFiles(str(tmp_path / "rows.list_csv"), PAIRS), str(tmp_path / "out"))
    converted = RowFiles(str(tmp_path / "out"), PAIRS)
    assert (converted.listed_count, len(converted)) == (2, 3)


def test_single_file_of_a_converted_folder_is_refused(tmp_path):
    to_tfrecord(pairs(tmp_path, [5, 5, 6]), str(tmp_path / "out"))
    with pytest.raises(
        InputError, match="Converted rows are read as a whole: give their folder .*out"
    ):
        RowFiles(str(tmp_path / "out" / "rows-*.tfrecord"), PAIRS)
