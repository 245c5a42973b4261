import json
import random

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.data.photos import cut_anywhere, cut_centre, mirrored_by_chance
from kaleido_tf.data.pipeline import read_row
from kaleido_tf.data.token_masking import replace_tokens
from kaleido_tf.errors import InputError
from kaleido_tf.families import read_examples
from kaleido_tf.models.mvlt.grid_masking import MASKED_PIXEL
from kaleido_tf.models.mvlt.model import Mvlt
from kaleido_tf.records.photo import RAW, raw_photo
from kaleido_tf.text import Tokenizer, Vocabulary, sequence
from tests import mvlt_golden, pixel_records, small_records
from tests.batch_parts import assert_all_parts_are_the_whole
from tests.pixel_records import LENGTH, SIDE, pixels_of, tiny_mvlt

VOCABULARY = Vocabulary()
SETTINGS = {"text_length": LENGTH, "image_mask_cell": 8, "negatives": "any", "seed": 5}
CONFIG = tiny_mvlt()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return pixel_records.write(tmp_path_factory.mktemp("pixels"), 11)


def examples_of(folder, config=CONFIG, tasks=None, **changes):
    settings = ExamplesConfig(**{**SETTINGS, **changes})
    return read_examples(str(folder), settings, config, tasks, VOCABULARY)


def taken(dataset, count):
    return [{name: value.numpy() for name, value in batch.items()} for batch in dataset.take(count)]


def is_masked(batch):
    return (batch["images"] == np.float32(MASKED_PIXEL)).all(axis=-1)


def test_a_batch_is_what_the_model_takes(folder):
    examples = examples_of(folder)
    (batch,) = taken(examples.training_batches(4), 1)
    model = Mvlt(CONFIG)
    assert set(batch) == set(model.pretraining_inputs())
    sums = model.losses({name: tf.constant(value) for name, value in batch.items()}, training=True)
    assert all(np.isfinite(pair.mean()) for pair in sums.values())


def test_pixels_are_the_photos(folder):
    for batch in taken(examples_of(folder).evaluation_batches(11), 1):
        photos = batch["image_targets"]
        expected = np.stack([pixels_of(number) for number in range(11)]) / 255
        assert np.abs(photos - expected).mean() < 0.01  # JPEG
        assert photos.min() >= 0 and photos.max() <= 1


def test_raw_pixels_are_read_to_the_bit(tmp_path):
    def raw(number):
        return {"photo": raw_photo(pixels_of(number))}

    folder = pixel_records.write(tmp_path / "raw", 3, encoding=RAW, change=raw)
    (batch,) = taken(examples_of(folder).evaluation_batches(3), 1)
    expected = np.stack([pixels_of(number) for number in range(3)])
    np.testing.assert_array_equal(np.round(batch["image_targets"] * 255), expected)


def test_every_second_training_batch_is_masked(folder):
    batches = taken(examples_of(folder).training_batches(3), 6)
    assert [bool(is_masked(batch).any()) for batch in batches] == [False, True] * 3
    for batch in batches[1::2]:
        cells = is_masked(batch)[:, ::8, ::8]
        assert (cells.sum(axis=(1, 2)) == 32).all()  # half of 8 x 8
        seen = ~is_masked(batch)
        np.testing.assert_array_equal(batch["images"][seen], batch["image_targets"][seen])


@pytest.mark.parametrize("start", [3, 6, 9])
def test_a_late_start_shows_what_would_have_come(folder, start):
    examples = examples_of(folder, mirror_probability=0.5)
    whole = taken(examples.training_batches(3), 5)[start // 3 :]
    late = taken(examples.training_batches(3, start=start), 5 - start // 3)
    for first, second in zip(whole, late, strict=True):
        for name, value in first.items():
            np.testing.assert_array_equal(value, second[name])


def test_without_reconstruction_every_photo_is_whole(folder):
    for batch in taken(examples_of(folder, tasks=()).training_batches(3), 4):
        assert set(batch) == set(Mvlt(CONFIG, ()).pretraining_inputs())
        assert not is_masked(batch).any()


def test_evaluation_is_the_same_every_time_and_masks_all(folder):
    examples = examples_of(folder, mirror_probability=1.0)
    first, second = (taken(examples.evaluation_batches(4), 3) for _ in range(2))
    assert [len(batch["images"]) for batch in first] == [4, 4, 3]
    for one, other in zip(first, second):
        np.testing.assert_array_equal(one["images"], other["images"])
        assert is_masked(one).any(axis=(1, 2)).all()
    expected = np.stack([pixels_of(number) for number in range(4)]) / 255
    assert np.abs(first[0]["image_targets"] - expected).mean() < 0.01  # not mirrored


def test_larger_photos_are_cut(tmp_path):
    folder = pixel_records.write(tmp_path / "large", 4, side=96)
    examples = examples_of(folder)
    (batch,) = taken(examples.evaluation_batches(4), 1)
    middle = np.stack([pixels_of(number, 96)[16:80, 16:80] for number in range(4)]) / 255
    assert np.abs(batch["image_targets"] - middle).mean() < 0.02
    shown = np.concatenate([b["image_targets"] for b in taken(examples.training_batches(4), 3)])
    assert shown.shape == (12, SIDE, SIDE, 3)


def test_cuts_and_mirrors_are_drawn_from_the_seed():
    photo = tf.reshape(tf.range(9 * 9 * 3, dtype=tf.int32), [9, 9, 3])
    corners = set()
    for number in range(40):
        part = cut_anywhere(photo, 7, tf.constant([1, number]))
        row, column = divmod(int(part[0, 0, 0]) // 3, 9)
        corners.add((row, column))
        np.testing.assert_array_equal(part, photo[row : row + 7, column : column + 7])
    assert corners == {(row, column) for row in range(3) for column in range(3)}
    np.testing.assert_array_equal(cut_centre(photo, 7), photo[1:8, 1:8])
    turned = [
        bool((mirrored_by_chance(photo, 0.25, tf.constant([2, n])) == photo[:, ::-1]).numpy().all())
        for n in range(80)
    ]
    assert 0.1 < np.mean(turned) < 0.45


def test_one_example_alone_is_that_of_the_batch(folder):
    examples = examples_of(folder)
    drawn = next(examples.training_order().examples_of("P004_1"))
    alone = examples.make_example(read_row(examples.table, drawn))
    batches = taken(examples.training_batches(1), 11)
    found = batches[drawn.position]
    np.testing.assert_array_equal(alone["image_targets"], found["image_targets"][0])
    np.testing.assert_array_equal(alone["input_ids"], found["input_ids"][0])


# What the release makes of texts.

TEXTS = mvlt_golden.arrays("text_processing")
ROWS = json.loads((mvlt_golden.mvlt() / "text_processing.json").read_text())


def test_texts_of_the_release():
    captions = [row["caption"] for row in ROWS["rows"]]
    length = ROWS["max_token_length"]
    for row, ids in enumerate(Tokenizer(VOCABULARY)(captions)):
        assert len(ids) == ROWS["rows"][row]["n_tokens_before_truncation"]
        padded, used = sequence(ids, length, VOCABULARY)
        np.testing.assert_array_equal(padded, TEXTS["ori_input_ids"][row])
        assert used == TEXTS["attention_mask"][row].sum()


def test_masked_words_of_the_release():
    """Its draws are Python's; what is made of them is the same."""
    rate, checked = ROWS["word_mask_rate"], 0
    for row, described in enumerate(ROWS["rows"]):
        ids = TEXTS["ori_input_ids"][row]
        draws, random_ids = np.ones(len(ids), np.float32), ids.copy()
        generator = random.Random(described["python_random_seed"])
        for place in range(1, TEXTS["attention_mask"][row].sum() - 1):
            draws[place] = generator.random() / rate
            if 0.8 <= draws[place] < 0.9:
                random_ids[place] = generator.choice(range(ROWS["vocab_size"]))
        masked = draws < 1
        found = replace_tokens(ids, masked, draws, random_ids, VOCABULARY)
        np.testing.assert_array_equal(found, TEXTS["input_ids"][row])
        np.testing.assert_array_equal(np.where(masked, ids, -1), TEXTS["mlm_labels"][row])
        checked += masked.sum()
    assert checked > 20


# What is refused.


def test_patch_records_are_refused(tmp_path):
    folder = small_records.write(tmp_path / "patches", 3)
    with pytest.raises(InputError, match="records of layout pixels.*holds kaleido"):
        examples_of(folder)


def test_photos_smaller_than_the_model_are_refused(folder):
    with pytest.raises(InputError, match="image_side` is 96 pixels, the photos in .* have 64"):
        examples_of(folder, tiny_mvlt(image_side=96))


def test_cells_that_do_not_divide_the_photo_are_refused(folder):
    with pytest.raises(InputError, match="--image_mask_cell must divide .*64.*Received: 10"):
        examples_of(folder, image_mask_cell=10)


def test_a_photo_of_another_size_ends_the_reading(tmp_path):
    def change(number):
        return {"photo": pixel_records.as_jpeg(pixels_of(0, 40))} if number == 2 else {}

    folder = pixel_records.write(tmp_path / "odd", 4, change=change)
    with pytest.raises(tf.errors.OpError, match="(?s)40.*64|64.*40"):
        taken(examples_of(folder).evaluation_batches(4), 1)


def test_a_record_without_a_photo_is_refused(tmp_path):
    folder = pixel_records.write(tmp_path / "empty", 3, change=lambda n: {"photo": b""})
    with pytest.raises(InputError, match=r"record 0 \(product P000\): a photo is needed"):
        examples_of(folder)


def test_parts_are_the_whole(folder):
    assert_all_parts_are_the_whole(examples_of(folder), 4, start=4)
