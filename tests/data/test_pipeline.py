import dataclasses

import numpy as np
import pytest

from data_prep.alignment.alignments import AlignmentSettings
from data_prep.alignment.record_alignments import align_records
from kaleido_tf import patches
from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.data.pipeline import RecordExamples
from kaleido_tf.data.record_table import read_record_table
from kaleido_tf.data.token_masking import MaskingConfig
from kaleido_tf.files.input_files import find_files
from kaleido_tf.models.kaleido_bert import examples as kaleido_examples
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig
from kaleido_tf.text import Vocabulary
from tests import small_records
from tests.batch_parts import assert_all_parts_are_the_whole

VOCABULARY = Vocabulary()


def read_table(folder):
    return read_record_table(find_files(str(folder)), VOCABULARY, 9, small_records.FEATURE_SIZE)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return read_table(small_records.write(tmp_path_factory.mktemp("records"), 23, per_shard=5))


def examples(table, tasks=patches.LEVEL_NAMES, seed=0, **masking):
    config = KaleidoBertConfig(patch_feature_size=small_records.FEATURE_SIZE)
    make = kaleido_examples.example_maker(config, tasks, VOCABULARY, MaskingConfig(**masking), seed)
    return RecordExamples(table, make, ExamplesConfig(seed=seed), donors=True)


def take(dataset, count):
    return list(dataset.take(count).as_numpy_iterator())


def assert_equal(batches, others):
    assert len(batches) == len(others) > 0
    for one, other in zip(batches, others):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_batch_has_the_models_inputs(table):
    batch = take(examples(table).training_batches(batch_size=4), 1)[0]
    shapes = {name: value.shape for name, value in batch.items()}
    assert shapes["input_ids"] == shapes["input_mask"] == shapes["segment_ids"] == (4, 9)
    for level, count in patches.LEVEL_PATCHES.items():
        assert shapes[f"{level}_features"] == (4, count, 6) and shapes[f"{level}_boxes"] == (
            4,
            count,
            5,
        )
        assert (
            batch[f"{level}_features"].dtype == np.float32
            and batch[f"{level}_boxes"].dtype == np.int32
        )
    assert shapes["masked_lm_positions"] == (4, 10)
    assert shapes["grey_to_color_positions"] == (4, 2) and shapes["blank_to_color_positions"] == (
        4,
        3,
    )
    assert shapes["grey_to_color_targets"] == (4, 2, 6)


def test_boxes_stay_in_place(table):
    batch = take(examples(table).training_batches(batch_size=2), 1)[0]
    boxes = patches.kaleido_boxes(32, 48)
    for level in patches.LEVEL_NAMES:
        np.testing.assert_array_equal(batch[f"{level}_boxes"][1], boxes[patches.level_slice(level)])


@pytest.mark.parametrize("start", [0, 5, 23, 31])
def test_a_run_can_start_in_the_middle(table, start):
    source = examples(table, seed=3, token_fraction=0.4)
    whole = take(source.training_batches(batch_size=1), 40)
    assert_equal(
        take(source.training_batches(batch_size=1, start=start), 40 - start), whole[start:]
    )


def test_drawn_anew_every_epoch(table):
    batches = take(examples(table).training_batches(batch_size=23), 2)
    assert not np.array_equal(batches[0]["input_ids"], batches[1]["input_ids"])
    assert not np.array_equal(
        np.sort(batches[0]["rotation_label"]), np.sort(batches[1]["rotation_label"])
    ) or not np.array_equal(
        np.sort(batches[0]["jigsaw_label"]), np.sort(batches[1]["jigsaw_label"])
    )


def test_evaluation_is_one_pass_with_the_same_draws(table):
    first = take(examples(table).evaluation_batches(batch_size=5), 99)
    assert [len(batch["input_ids"]) for batch in first] == [5, 5, 5, 5, 3]
    assert_equal(first, take(examples(table).evaluation_batches(batch_size=5), 99))


def test_tasks_that_are_off_leave_nothing(table):
    batch = take(examples(table, tasks=("jigsaw",)).training_batches(batch_size=3), 1)[0]
    assert "jigsaw_label" in batch
    assert not {
        "rotation_label",
        "camouflage_label",
        "grey_to_color_positions",
        "blank_to_color_positions",
    } & set(batch)


def test_camouflaged_patch_comes_from_another_product(table):
    source = examples(table, tasks=("camouflage",))
    for batch in take(source.training_batches(batch_size=4), 10):
        for features, label in zip(batch["camouflage_features"], batch["camouflage_label"]):
            others = np.delete(features, label, axis=0)
            spread = np.abs(others - others.mean(0)).max()
            assert spread < 0.6  # patches of one product lie close together in these records
    distances = [
        np.abs(features[label] - np.delete(features, label, axis=0).mean(0)).max()
        for batch in take(source.training_batches(batch_size=4), 10)
        for features, label in zip(batch["camouflage_features"], batch["camouflage_label"])
    ]
    assert np.median(distances) > 0.8


def test_alignments_of_a_record_guide_its_masks_only_with_its_own_text(tmp_path):
    pairs = {
        "alignment_tokens": [2, 7],
        "alignment_patches": [33, 44],
        "alignment_scores": [1.0, 1.0],
    }
    table = read_table(small_records.write(tmp_path, 20, change=lambda n: pairs))
    source = examples(table, token_fraction=0.2)
    hits = {0: [], 1: []}
    for batch in take(source.training_batches(batch_size=4), 50):
        for label, positions, blanks in zip(
            batch["next_sentence_label"],
            batch["masked_lm_positions"],
            batch["blank_to_color_positions"],
        ):
            # token 2 stands at place 3, after [CLS]; token 7 was cut off with the text; patch 33 is
            # the fourth of level 5
            hits[int(label)].append(3 in positions or 3 in blanks)
    assert np.mean(hits[1]) == 1.0
    assert np.mean(hits[0]) < 0.5


def test_run_on_other_alignments_is_a_run_on_other_data(tmp_path):
    folder = small_records.write(tmp_path / "records", 7, per_shard=3)
    before = examples(read_table(folder)).digest
    align_records(
        str(folder), lambda _, found: [[] for _ in found], AlignmentSettings(), {"source": "nobody"}
    )
    assert examples(read_table(folder)).digest != before
    again = examples(read_table(folder)).digest
    align_records(
        str(folder),
        lambda _, found: [[] for _ in found],
        AlignmentSettings(mass=0.7),
        {"source": "nobody"},
    )
    assert examples(read_table(folder)).digest != again


def test_shards_in_several_blocks_give_the_same_records(table, monkeypatch):
    from kaleido_tf.data import pipeline

    original = pipeline.ExampleOrder
    monkeypatch.setattr(pipeline, "ExampleOrder", lambda *a, **k: original(*a, block_bytes=1, **k))
    source = examples(table, tasks=(), seed=2)
    seen = np.concatenate(
        [b["rotation_features"][:, 0, 0] for b in take(source.training_batches(1), 23)]
    )
    monkeypatch.undo()
    whole = np.concatenate(
        [b["rotation_features"][:, 0, 0] for b in take(source.training_batches(1), 23)]
    )
    np.testing.assert_array_equal(np.sort(seen), np.sort(whole))


def test_shared_texts_are_noted(tmp_path):
    """Products 0 and 3 share a text; the two photos of product 1 are no second product."""
    small_records.write(
        tmp_path,
        8,
        images_a_product=2,
        change=lambda n: {"token_ids": [1037]} if n in (0, 1, 6) else {},
    )
    notes = examples(read_table(tmp_path)).notes()
    assert any(note.startswith("3 images share their text with another product") for note in notes)


@pytest.mark.parametrize("batch_size, count, start", [(4, 2, 8), (9, 3, 0)])
def test_parts_are_the_whole(table, batch_size, count, start):
    assert_all_parts_are_the_whole(examples(table), batch_size, count, start)


def test_grouped_batches_are_cut_where_their_texts_end(tmp_path):
    def longer(number):
        return {"token_ids": list(range(1000, 1000 + 2 + number * 7 % 29))}

    folder = small_records.write(tmp_path, 29, per_shard=10, change=longer)
    table = read_record_table(find_files(str(folder)), VOCABULARY, 40, small_records.FEATURE_SIZE)
    found = examples(table)
    plain = take(found.training_batches(batch_size=4), 7)
    found.config = dataclasses.replace(found.config, group_by_length=True)
    assert_all_parts_are_cut_alike(found)
    batches = take(found.training_batches(batch_size=4), 7)
    for batch in batches:
        used, length = batch["input_mask"].sum(axis=1).max(), batch["input_ids"].shape[1]
        assert length == 16 * -(-used // 16) == batch["segment_ids"].shape[1]
    assert {batch["input_ids"].shape[1] for batch in batches} == {16, 32}
    together = [
        sorted(tuple(row[row > 0]) for batch in some for row in batch["masked_lm_ids"])
        for some in (plain, batches)
    ]
    assert together[0] != [] and len(together[0]) == len(together[1]) == 28
    assert_equal(take(found.training_batches(batch_size=4, start=12), 4), batches[3:])


def assert_all_parts_are_cut_alike(found):
    """Each worker cuts at its own longest text; what is left of either is the whole batch's."""
    (whole,) = take(found.training_batches(batch_size=4), 1)
    for number in (0, 1):
        (part,) = take(found.training_batches(batch_size=4, part=(number, 2)), 1)
        rows, length = slice(2 * number, 2 * number + 2), part["input_ids"].shape[1]
        np.testing.assert_array_equal(part["input_ids"], whole["input_ids"][rows, :length])
        assert not whole["input_mask"][rows, length:].any()
