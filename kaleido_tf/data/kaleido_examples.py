"""A row of the pipeline to an example of Kaleido-BERT: mask by alignment, then the kaleido tasks (sections 3.4, 3.6)."""

import tensorflow as tf

from kaleido_tf import patches, records
from kaleido_tf.config import KaleidoBertConfig
from kaleido_tf.data import kaleido_tasks
from kaleido_tf.data.masking import MASKED_LEVELS, MaskingConfig, choose_masked, fold, mask_tokens
from kaleido_tf.data.pipeline import row_seed, row_text
from kaleido_tf.text import Vocabulary


def example_maker(config: KaleidoBertConfig, tasks: tuple[str, ...], vocabulary: Vocabulary, masking: MaskingConfig, seed: int):
    """The function that turns a row into a training example; its draws depend on (seed, position) only."""
    is_continuation = tf.constant(vocabulary.is_continuation)
    budgets = (1, config.masked_greymask_patch_num, config.masked_blankmask_patch_num)

    def make(row):
        draw = row_seed(row, seed)
        example = {**records.parse(row["record"], config.patch_feature_size), **row_text(row)}
        example["donor_patch"] = records.parse_patch(row["donor"], draw_donor_patch(draw), config.patch_feature_size)
        example.update(_alignments(example, row["matched"]))
        example = choose_masked(example, draw, masking, is_continuation, budgets)
        example = mask_tokens(example, draw, masking, vocabulary)
        example = kaleido_tasks.apply_tasks(example, draw, tasks)
        return _model_inputs(example, tasks, budgets)

    return make


def draw_donor_patch(seed: tf.Tensor) -> tf.Tensor:
    """Which patch of the other product takes the camouflaged one's place: one of level 3, as its number among the 55."""
    level = patches.level_slice("camouflage")
    return tf.random.stateless_uniform([], fold(seed, 9), level.start, level.stop, dtype=tf.int32)


def _alignments(example, matched) -> dict:
    """The record's (token, patch) pairs, as places in `input_ids`; a foreign text has none, nor has a cut-off token."""
    places = tf.cast(example["alignment_tokens"], tf.int32) + 1  # after [CLS]
    inside = matched & (places < tf.reduce_sum(example["input_mask"]) - 1)
    return {
        "alignment_tokens": tf.boolean_mask(places, inside),
        "alignment_patches": tf.cast(tf.boolean_mask(example["alignment_patches"], inside), tf.int32),
    }


def _model_inputs(example, tasks, budgets) -> dict:
    """Just what the model takes, in its types and with every size known."""
    names = ["input_ids", "input_mask", "segment_ids", "next_sentence_label"]
    names += ["masked_lm_positions", "masked_lm_ids", "masked_lm_weights"]
    names += [f"{level}_label" for level in ("rotation", "jigsaw", "camouflage") if level in tasks]
    inputs = {name: example[name] for name in names}
    boxes = tf.cast(example["patch_boxes"], tf.int32)
    for level in patches.LEVEL_NAMES:
        inputs[f"{level}_features"] = tf.cast(example[f"{level}_features"], tf.float32)
        inputs[f"{level}_boxes"] = boxes[patches.level_slice(level)]
    for level, budget in zip(MASKED_LEVELS, budgets):
        if level in tasks and f"{level}_positions" in example:
            inputs[f"{level}_positions"] = tf.ensure_shape(example[f"{level}_positions"], [budget])
            if f"{level}_targets" in example:
                targets = tf.cast(example[f"{level}_targets"], tf.float32)
                inputs[f"{level}_targets"] = tf.ensure_shape(targets, [budget, targets.shape[-1]])
    return inputs
