"""What a picture says of an example is what the training batch at its position holds."""

import numpy as np
import pytest

from data_prep.pictures.shown_example import KEPT, MASKED, RANDOM, find_example, shown_example
from kaleido_tf import patches
from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.data.record_table import read_serialized
from kaleido_tf.families import read_examples
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig
from kaleido_tf.records.parsing import parse_record
from kaleido_tf.records.record import Record
from kaleido_tf.text import Vocabulary
from tests import small_records

VOCABULARY = Vocabulary()
COUNT = 12
CONFIG = KaleidoBertConfig(patch_feature_size=small_records.FEATURE_SIZE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pairs = {"alignment_tokens": [2], "alignment_patches": [33], "alignment_scores": [1.0]}
    return small_records.write(tmp_path_factory.mktemp("records"), COUNT, change=lambda n: pairs)


def examples_of(folder, tasks=None, **changes):
    settings = ExamplesConfig(**{"text_length": 9, "token_fraction": 0.5, "seed": 5, **changes})
    return read_examples(str(folder), settings, CONFIG, tasks, VOCABULARY)


def features(examples, record):
    return parse_record(read_serialized(examples.table, record), small_records.FEATURE_SIZE)


def test_equals_the_training_batch_at_its_position(folder):
    examples = examples_of(folder)
    batch = next(examples.training_batches(3 * COUNT).as_numpy_iterator())
    changes = set()
    every = [
        find_example(examples, image, epoch)
        for epoch in range(3)
        for image in examples.table.image_ids
    ]
    assert {drawn.position for drawn in every} == set(range(3 * COUNT))
    for drawn in every:
        shown = shown_example(examples, drawn, VOCABULARY)
        one = {name: value[drawn.position] for name, value in batch.items()}
        own, donor = features(examples, drawn.record), features(examples, drawn.donor)
        parts = {
            level: own["patch_features"].numpy().astype(np.float32)[patches.level_slice(level)]
            for level in patches.LEVEL_NAMES
        }
        # The text: what is read, what is asked for.
        assert [token.shown for token in shown.tokens] == [
            VOCABULARY.tokens[i] for i in one["input_ids"][one["input_mask"] > 0]
        ]
        assert one["next_sentence_label"] == drawn.matched
        asked = [place for place, token in enumerate(shown.tokens) if token.change != KEPT]
        used = int(one["masked_lm_weights"].sum())
        assert asked == one["masked_lm_positions"][:used].tolist()
        assert [VOCABULARY.tokens[i] for i in one["masked_lm_ids"][:used]] == [
            shown.tokens[place].true for place in asked
        ]
        changes |= {token.change for token in shown.tokens}
        # The patches: the choices rebuild the very features that training reads.
        wholes = np.concatenate([parts["rotation"], own["rotated_features"].numpy()])
        np.testing.assert_array_equal(one["rotation_features"], wholes[[shown.quarter_turns]])
        np.testing.assert_array_equal(one["jigsaw_features"], parts["jigsaw"][list(shown.jigsaw)])
        parts["camouflage"][shown.camouflaged] = donor["patch_features"].numpy()[shown.donor_patch]
        np.testing.assert_array_equal(one["camouflage_features"], parts["camouflage"])
        parts["grey_to_color"][list(shown.grey)] = own["grey_features"].numpy()[list(shown.grey)]
        np.testing.assert_array_equal(one["grey_to_color_features"], parts["grey_to_color"])
        assert shown.blank == tuple(one["blank_to_color_positions"])
    assert changes >= {KEPT, MASKED, RANDOM}


def test_example_of_an_image_is_its_own_and_by_default_matched(folder):
    examples = examples_of(folder)
    table = examples.table
    for image in table.image_ids:
        drawn = find_example(examples, image)
        assert (
            table.image_ids[drawn.record] == image
            and table.product_ids[drawn.donor] != table.product_ids[drawn.record]
        )
        assert drawn.matched and drawn.text == table.texts[drawn.record]
    seen = [find_example(examples, "P003_1", epoch) for epoch in range(8)]
    assert [drawn.position // COUNT for drawn in seen] == list(range(8))
    assert {drawn.matched for drawn in seen} == {True, False}
    assert find_example(examples, "P003_1") == next(drawn for drawn in seen if drawn.matched)


def test_tasks_that_are_off_change_nothing(folder):
    examples = examples_of(folder, tasks=("blank_to_color",))
    shown = shown_example(examples, find_example(examples, "P001_1"), VOCABULARY)
    assert (shown.quarter_turns, shown.jigsaw, shown.camouflaged, shown.grey) == (
        0,
        (0, 1, 2, 3),
        None,
        (),
    )
    assert len(shown.blank) == 3


def test_record_read_alone_is_the_record_of_the_table(folder):
    examples = examples_of(folder)
    for record in (0, 4, 5, COUNT - 1):
        alone = Record.parse(read_serialized(examples.table, record).numpy())
        assert alone.image_id == examples.table.image_ids[record]
