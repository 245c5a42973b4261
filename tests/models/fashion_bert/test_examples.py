"""FashionBERT's examples from records of its grid."""

import numpy as np
import pytest

from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.errors import InputError
from kaleido_tf.families import read_examples
from kaleido_tf.models.fashion_bert import examples as grid_examples
from kaleido_tf.models.fashion_bert.config import FashionBertConfig
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig
from kaleido_tf.records.record import GRIDS
from kaleido_tf.text import Vocabulary
from tests import small_records

GRID = GRIDS[4]
CONFIG = FashionBertConfig(
    patch_feature_size=small_records.FEATURE_SIZE,
    max_patch_position_embeddings=16,
    masked_image_token_num=3,
    masked_text_token_num=4,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_records.write(tmp_path_factory.mktemp("grid"), 23, per_shard=5, layout=GRID)


def examples(folder, config=CONFIG, tasks=None, **changes):
    settings = ExamplesConfig(text_length=9, **changes)
    return read_examples(str(folder), settings, config, tasks, Vocabulary())


def take(dataset, count):
    return list(dataset.take(count).as_numpy_iterator())


def test_batch_has_the_models_inputs(folder):
    batch = take(examples(folder).training_batches(4), 1)[0]
    assert {name: value.shape for name, value in batch.items()} == {
        "input_ids": (4, 9),
        "input_mask": (4, 9),
        "segment_ids": (4, 9),
        "next_sentence_label": (4,),
        "masked_lm_positions": (4, 4),
        "masked_lm_ids": (4, 4),
        "masked_lm_weights": (4, 4),
        "patch_features": (4, 16, 6),
        "patch_mask": (4, 16),
        "masked_patch_positions": (4, 3),
    }
    assert (batch["patch_mask"] == 1).all()


def test_features_are_those_of_the_records_and_are_not_blanked_here(folder):
    batches = take(examples(folder).evaluation_batches(23), 1)
    expected = np.stack(
        [
            small_records.fields_of(n, layout=GRID)["patch_features"].astype(np.float16)
            for n in range(23)
        ]
    )
    np.testing.assert_array_equal(batches[0]["patch_features"], expected.astype(np.float32))


def test_masked_patches_are_different_sorted_and_evenly_spread(folder):
    source, counts = examples(folder), np.zeros(16)
    for batch in take(source.training_batches(23), 40):
        for places in batch["masked_patch_positions"]:
            assert len(set(places)) == 3 and (np.diff(places) > 0).all()
            counts[places] += 1
    np.testing.assert_allclose(counts / (23 * 40), 3 / 16, atol=0.05)


def test_without_its_task_nothing_is_masked(folder):
    assert (
        "masked_patch_positions" not in take(examples(folder, tasks=()).training_batches(2), 1)[0]
    )


def test_half_of_the_texts_are_mismatched_and_few_tokens_masked(folder):
    batch = take(examples(folder).training_batches(22), 1)[0]
    assert 9 <= batch["next_sentence_label"].sum() <= 13
    assert (batch["masked_lm_weights"].sum(axis=1) == 1).all()  # 15% of six or seven word pieces


def test_records_of_another_layout_are_refused(folder, tmp_path):
    with pytest.raises(
        InputError, match="The model needs records of layout grid_8x8. .* holds grid_4x4"
    ):
        examples(folder, FashionBertConfig(patch_feature_size=6))
    kaleido = small_records.write(tmp_path / "kaleido", 7, per_shard=4)
    with pytest.raises(InputError, match="needs records of layout grid_4x4. .* holds kaleido"):
        examples(kaleido)
    with pytest.raises(
        InputError, match="The model needs records of layout kaleido. .* holds grid_4x4"
    ):
        examples(folder, KaleidoBertConfig(patch_feature_size=6))


def test_number_of_patches_that_no_records_have():
    with pytest.raises(
        InputError,
        match=(
            "FashionBERT's records hold 16 or 64 patches. Received:"
            " `max_patch_position_embeddings`=25"
        ),
    ):
        grid_examples.layout_of_config(FashionBertConfig(max_patch_position_embeddings=25))
