"""Rows as a run's examples: order, resuming, errors."""

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.compat.rows.input_schema import parse_schema
from kaleido_tf.compat.rows.row_columns import row_format
from kaleido_tf.compat.rows.row_examples import RowExamples
from kaleido_tf.compat.rows.row_files import RowFiles
from kaleido_tf.compat.rows.row_writing import encode_lines
from kaleido_tf.errors import InputError, raised_inside
from kaleido_tf.families import read_config
from kaleido_tf.patches import NUM_PATCHES
from tests import golden_files, golden_rows
from tests.batch_parts import assert_all_parts_are_the_whole
from tests.golden_batches import pretraining_batch

CONFIG = read_config(golden_files.kaleido_bert() / "config.json")
SCHEMA = golden_rows.schema("kaleidobert_pretrain")
LENGTHS = {column.name: column.values for column in SCHEMA}
COUNT = len(golden_files.columns("kaleidobert_pretrain")["input_ids"])
FIRST = COUNT * 2 // 3  # rows of the first file
LISTED = COUNT - 3


@pytest.fixture(scope="module")
def columns():
    return golden_files.columns("kaleidobert_pretrain")


@pytest.fixture
def rows(columns, tmp_path):
    """The golden rows in two files, with a list file that says fewer."""
    lines = encode_lines(columns, SCHEMA, str)
    (tmp_path / "a.csv").write_bytes(b"".join(lines[:FIRST]))
    (tmp_path / "b.csv").write_bytes(b"".join(lines[FIRST:]))
    (tmp_path / "rows.list_csv").write_text(f"{LISTED}\na.csv\nb.csv\n")
    return tmp_path / "rows.list_csv"


def examples(rows, seed=5):
    form = row_format(
        SCHEMA,
        CONFIG,
        "pretraining",
        ("rotation", "jigsaw", "camouflage", "grey_to_color", "blank_to_color"),
    )
    return RowExamples(RowFiles(str(rows), SCHEMA), form, seed)


def take(dataset, count):
    return list(dataset.take(count).as_numpy_iterator())


def test_one_pass_is_in_file_order(rows, columns):
    batches = take(examples(rows).evaluation_batches(8), COUNT)
    assert [len(batch["input_ids"]) for batch in batches] == [
        min(8, COUNT - start) for start in range(0, COUNT, 8)
    ]
    expected = pretraining_batch(columns, CONFIG.patch_feature_size)
    assert set(batches[0]) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(np.concatenate([batch[name] for batch in batches]), array)


def test_every_epoch_is_another_permutation_and_seeds_differ(rows, columns):
    features = columns["img_feature_convert_rotation"][:, 0]
    seen = np.concatenate(
        [
            b["rotation_features"][:, 0, 0]
            for b in take(examples(rows).training_batches(1), 2 * COUNT)
        ]
    )
    np.testing.assert_array_equal(np.sort(seen[:COUNT]), np.sort(features))
    np.testing.assert_array_equal(np.sort(seen[COUNT:]), np.sort(features))
    assert (seen[:COUNT] != seen[COUNT:]).any() and (seen[:COUNT] != features).any()
    other = np.concatenate(
        [
            b["rotation_features"][:, 0, 0]
            for b in take(examples(rows, seed=6).training_batches(1), COUNT)
        ]
    )
    assert (other != seen[:COUNT]).any()


@pytest.mark.parametrize("start", [0, 6, COUNT, COUNT + 7])
def test_a_run_can_start_in_the_middle(rows, start):
    whole = np.concatenate(
        [b["input_ids"] for b in take(examples(rows).training_batches(1), 2 * COUNT)]
    )
    late = np.concatenate(
        [
            b["input_ids"]
            for b in take(examples(rows).training_batches(1, start=start), 2 * COUNT - start)
        ]
    )
    np.testing.assert_array_equal(late, whole[start:])


def test_listed_count_sets_the_number_of_steps(rows):
    source = examples(rows)
    assert len(source) == LISTED and source.describe() == f"{COUNT} rows of 2 files"
    assert source.notes() == [
        f"the list file says {LISTED} examples, the files hold {COUNT}: steps are counted by the"
        " former"
    ]


def test_columns_and_features_of_all_rows(rows, columns):
    source = examples(rows)
    (labels,) = source.columns(("nx_sent_labels",))
    np.testing.assert_array_equal(labels, columns["nx_sent_labels"][:, 0])
    assert source.sample_features(7).shape == (7, NUM_PATCHES, CONFIG.patch_feature_size)
    np.testing.assert_array_equal(
        source.sample_features(COUNT + 79)[:, 0], columns["img_feature_convert_rotation"]
    )


def test_further_inputs_come_from_columns(rows):
    form = row_format(SCHEMA, CONFIG, "pretraining", ())
    source = RowExamples(
        RowFiles(str(rows), SCHEMA),
        form,
        1,
        lambda columns: {"twice": columns["nx_sent_labels"] * 2},
    )
    assert set(np.unique(take(source.evaluation_batches(COUNT), 1)[0]["twice"])) <= {0, 2}


def test_row_that_cannot_be_read_is_named_when_its_turn_comes(rows):
    content = rows.with_name("b.csv").read_bytes().split(b"\n")
    content[2] = content[2].replace(b",", b",x", 1)
    rows.with_name("b.csv").write_bytes(b"\n".join(content))
    with pytest.raises(tf.errors.OpError) as error:
        take(examples(rows).evaluation_batches(8), COUNT)
    assert isinstance(raised_inside(error.value), InputError)
    assert "b.csv line 3, column input_ids" in str(raised_inside(error.value))


@pytest.mark.parametrize(
    "column, value, message",
    [
        ("img_rotate_gt", 7, "img_rotate_gt: 0 to 3 are needed for this model. Received: 7"),
        ("nx_sent_labels", 2, "nx_sent_labels: 0 to 1"),
        ("input_ids", 50000, f"input_ids: 0 to {CONFIG.vocab_size - 1} .* Received: 50000"),
        (
            "input_ids",
            4294967301,
            f"input_ids: 0 to {CONFIG.vocab_size - 1} .* Received: 4294967301",
        ),
        ("segment_ids", -1, "segment_ids: 0 to 1 .* Received: -1"),
        (
            "masked_lm_positions",
            LENGTHS["input_ids"],
            f"masked_lm_positions: 0 to {LENGTHS['input_ids'] - 1}",
        ),
        ("img_blank_lm_ids", 25, "img_blank_lm_ids: 0 to 24"),
        (
            "img_feature_convert_jigsaw",
            np.nan,
            "img_feature_convert_jigsaw: finite numbers are needed .* Received: nan",
        ),
        ("img_loc_position_jigsaw", 2**31, "img_loc_position_jigsaw: numbers of 32 bits"),
    ],
)
def test_numbers_that_the_model_cannot_take_are_named(rows, columns, column, value, message):
    array = columns[column].astype(np.int64 if columns[column].dtype.kind == "i" else np.float32)
    array[0, 0] = value
    lines = encode_lines({**columns, column: array}, SCHEMA, str)
    rows.with_name("a.csv").write_bytes(b"".join(lines[:FIRST]))
    with pytest.raises(InputError, match=f"a.csv line 1, column {message}"):
        examples(rows)


def test_first_row_is_read_before_anything_else(rows):
    rows.with_name("a.csv").write_bytes(
        rows.with_name("a.csv").read_bytes().replace(b",", b",x", 1)
    )
    with pytest.raises(InputError, match="a.csv line 1, column input_ids"):
        examples(rows)


def test_rows_of_one_column_too_few(rows):
    with pytest.raises(InputError, match=f"{len(SCHEMA) - 1} columns separated by tabs are needed"):
        RowFiles(str(rows), parse_schema(",".join(f"c{n}:int:1" for n in range(len(SCHEMA) - 1))))


def test_parts_are_the_whole(rows):
    assert_all_parts_are_the_whole(examples(rows), 6, start=12)
