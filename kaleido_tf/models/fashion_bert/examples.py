"""A row of the pipeline to an example of FashionBERT: masked tokens and masked patches, chosen at
random (its section 3.2).
"""

import tensorflow as tf

from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.data.pipeline import TEXT_INPUTS, RecordExamples, row_text
from kaleido_tf.data.record_table import open_records
from kaleido_tf.data.sampling import Draw, fold, row_seed
from kaleido_tf.data.token_masking import MaskingConfig, choose_random_tokens, mask_tokens
from kaleido_tf.errors import InputError
from kaleido_tf.models.fashion_bert.config import FashionBertConfig
from kaleido_tf.records.parsing import parse_record
from kaleido_tf.records.record import GRIDS, Layout
from kaleido_tf.text import Vocabulary


def open_examples(
    pattern: str,
    settings: ExamplesConfig,
    config: FashionBertConfig,
    tasks: tuple[str, ...],
    vocabulary: Vocabulary,
) -> RecordExamples:
    """The examples that a run makes of the records at `pattern`. Raises: InputError as
    `open_records`.
    """
    size, length = config.patch_feature_size, settings.text_length
    table = open_records(pattern, layout_of_config(config), size, vocabulary, length)
    masking = MaskingConfig.of(settings, config.max_masked_tokens)
    make_example = example_maker(config, tasks, vocabulary, masking, settings.seed, table.storage)
    return RecordExamples(table, make_example, settings)


def example_maker(
    config: FashionBertConfig,
    tasks: tuple[str, ...],
    vocabulary: Vocabulary,
    masking: MaskingConfig,
    seed: int,
    storage: str | None = None,
):
    """The function that turns a row into a training example; its draws depend on (seed, position)
    only. Args: storage: as `parse_record`.
    """
    is_continuation = tf.constant(vocabulary.is_continuation)
    num_patches, masked = config.max_patch_position_embeddings, config.masked_image_token_num
    layout = layout_of_config(config)

    def make(row):
        draw = row_seed(row, seed)
        example = {
            **parse_record(row["record"], config.patch_feature_size, layout, storage),
            **row_text(row),
        }
        example = choose_random_tokens(example, draw, masking, is_continuation)
        example = mask_tokens(example, draw, masking, vocabulary)
        inputs = {name: example[name] for name in TEXT_INPUTS}
        inputs["patch_features"] = tf.cast(example["patch_features"], tf.float32)
        inputs["patch_mask"] = tf.ones([num_patches], tf.int32)
        if "image" in tasks:
            # The model blanks them itself, since it needs them as its target.
            chosen = tf.math.top_k(
                tf.random.stateless_uniform([num_patches], fold(draw, Draw.PATCHES)), masked
            ).indices
            inputs["masked_patch_positions"] = tf.sort(chosen)
        return inputs

    return make


def layout_of_config(config: FashionBertConfig) -> Layout:
    """The layout of the records that fit a model. Raises: InputError for a number of patches that
    no layout has.
    """
    for layout in GRIDS.values():
        if layout.num_patches == config.max_patch_position_embeddings:
            return layout
    raise InputError(
        "FashionBERT's records hold"
        f" {' or '.join(str(grid.num_patches) for grid in GRIDS.values())} patches. Received:"
        f" `max_patch_position_embeddings`={config.max_patch_position_embeddings}"
    )
