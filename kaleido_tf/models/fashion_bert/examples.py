"""A row of the pipeline to an example of FashionBERT: masked tokens and masked patches, chosen at
random (its section 3.2).
"""

import tensorflow as tf

from kaleido_tf.data.pipeline import row_text
from kaleido_tf.data.sampling import fold, row_seed
from kaleido_tf.data.token_masking import MaskingConfig, choose_random_tokens, mask_tokens
from kaleido_tf.errors import InputError
from kaleido_tf.models.fashion_bert.config import FashionBertConfig
from kaleido_tf.records.record import GRIDS, Layout, parse_record
from kaleido_tf.text import Vocabulary

TEXT_INPUTS = (
    "input_ids",
    "input_mask",
    "segment_ids",
    "next_sentence_label",
    "masked_lm_positions",
    "masked_lm_ids",
    "masked_lm_weights",
)


def example_maker(
    config: FashionBertConfig,
    tasks: tuple[str, ...],
    vocabulary: Vocabulary,
    masking: MaskingConfig,
    seed: int,
):
    """The function that turns a row into a training example; its draws depend on (seed, position)
    only.
    """
    is_continuation = tf.constant(vocabulary.is_continuation)
    num_patches, masked = config.max_patch_position_embeddings, config.masked_image_token_num
    layout = layout_of(config)

    def make(row):
        draw = row_seed(row, seed)
        example = {
            **parse_record(row["record"], config.patch_feature_size, layout),
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
                tf.random.stateless_uniform([num_patches], fold(draw, 2)), masked
            ).indices
            inputs["masked_patch_positions"] = tf.sort(chosen)
        return inputs

    return make


def layout_of(config: FashionBertConfig) -> Layout:
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
