"""Each image with its own text and its class, in any order; what is hidden is not there."""

import dataclasses

import numpy as np
import pytest

from kaleido_tf.data.labelled_examples import LabelledExamples
from kaleido_tf.data.record_table import read_record_table
from kaleido_tf.files.input_files import find_files
from kaleido_tf.text import Vocabulary
from tests import small_records

VOCABULARY = Vocabulary()


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = small_records.write(tmp_path_factory.mktemp("records"), 13, per_shard=5)
    return read_record_table(find_files(str(folder)), VOCABULARY, 9, small_records.FEATURE_SIZE)


def examples(table, modalities="both", seed=3):
    labels = 10 + np.arange(len(table), dtype=np.int32)  # a label says which record it is of
    return LabelledExamples(table, labels, modalities, VOCABULARY, seed)


def shown(dataset, batches):
    parts = list(dataset.take(batches).as_numpy_iterator())
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def test_labels_and_own_texts_travel_through_the_shuffling(table):
    batch = shown(examples(table).training_batches(13), 2)
    records = batch["label"] - 10
    assert sorted(records[:13]) == sorted(records[13:]) == list(range(13))
    assert records[:13].tolist() != records[13:].tolist()
    np.testing.assert_array_equal(batch["input_ids"], table.sequences[table.texts[records]])
    means = batch["patch_features"].mean(axis=1)
    assert batch["patch_features"].shape == (26, 55, small_records.FEATURE_SIZE)
    colours = [small_records.fields_of(n)["patch_features"].mean(axis=0) for n in records]
    np.testing.assert_allclose(means, colours, atol=1e-3)


def test_a_late_start_goes_on_with_the_same_examples(table):
    whole = shown(examples(table).training_batches(4), 5)["label"]
    late = shown(examples(table).training_batches(4, start=8), 3)["label"]
    np.testing.assert_array_equal(whole[8:], late)


def test_evaluation_is_one_pass_in_file_order(table):
    batch = shown(examples(table).evaluation_batches(4), 99)
    assert (batch["label"] - 10).tolist() == list(range(13))


def test_photos_without_their_other_views(tmp_path):
    folder = small_records.write(tmp_path, 13, per_shard=5, change=small_records.viewed)
    table = read_record_table(find_files(str(folder)), VOCABULARY, 9, small_records.FEATURE_SIZE)
    plain = examples(table).of_plain_views()
    assert (len(plain), len(examples(table))) == (7, 13)
    batch = shown(plain.evaluation_batches(4), 99)
    assert (batch["label"] - 10).tolist() == [0, 2, 4, 6, 8, 10, 12]
    np.testing.assert_array_equal(batch["input_ids"], table.sequences[table.texts[::2]])


def test_other_classes_are_other_data(table):
    assert examples(table).digest == examples(table, seed=4).digest
    moved = LabelledExamples(table, np.zeros(13, np.int32), "both", VOCABULARY, 3)
    assert moved.digest != examples(table).digest


def test_what_is_hidden_is_not_there(table):
    image = shown(examples(table, "image").evaluation_batches(4), 99)
    expected = [VOCABULARY.cls_id, VOCABULARY.sep_id]
    assert image["input_ids"].tolist() == [expected] * 13 and image["input_mask"].all()
    text = shown(examples(table, "text").evaluation_batches(4), 99)
    assert set(text) == {"input_ids", "input_mask", "segment_ids", "label"}


def test_texts_that_are_cut_off_are_counted(table):
    cut = int((table.lengths == 9)[table.texts].sum())
    short = dataclasses.replace(table, sequences=table.sequences[:, :8])
    assert examples(table).notes() == [] and cut == 0
    assert "13 of 13 texts fill all 8 places" in examples(short).notes()[0]
    assert examples(short, "image").notes() == []  # there are none


def test_a_single_record_is_enough(tmp_path):
    folder = small_records.write(tmp_path, 1)
    table = read_record_table(find_files(str(folder)), VOCABULARY, 9, small_records.FEATURE_SIZE)
    assert len(shown(examples(table).evaluation_batches(4), 9)["label"]) == 1
