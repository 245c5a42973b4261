"""Records to batches (section 3.4 to 3.6): read -> pair -> mask -> kaleido tasks -> batch.

The order of the steps: blocks of shards are read whole while the one before is being used; examples are then drawn
one by one in the order that sampling.py set, changed in parallel, and batched. Nothing is shuffled here.
"""

import dataclasses

import tensorflow as tf

from kaleido_tf import patches, records
from kaleido_tf.data import kaleido_tasks
from kaleido_tf.data.masking import MASKED_LEVELS, MaskingConfig, choose_masked, fold, mask_tokens
from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.data.sampling import ExampleOrder
from kaleido_tf.text import Vocabulary


@dataclasses.dataclass(frozen=True)
class PipelineConfig:
    """What is drawn at every step. `tasks`: the kaleido tasks that are trained."""

    tasks: tuple[str, ...] = patches.LEVEL_NAMES
    masking: MaskingConfig = MaskingConfig()
    negatives: str = "subcategory"
    rise_epochs: float = 30.0
    seed: int = 0


def training_batches(table: RecordTable, vocabulary: Vocabulary, config: PipelineConfig, batch_size: int,
                     start: int = 0) -> tf.data.Dataset:
    """Endless batches from example `start` on: dicts as `models.kaleido_bert.pretraining_inputs`."""
    order = ExampleOrder(table, config.seed, negatives=config.negatives, rise_epochs=config.rise_epochs)
    return _batches(order, vocabulary, config, batch_size, start=start, epochs=None)


def evaluation_batches(table: RecordTable, vocabulary: Vocabulary, config: PipelineConfig, batch_size: int) -> tf.data.Dataset:
    """One pass in file order; the draws are the same every time, the last batch may be smaller."""
    # What training rises to is what evaluation asks for from the start, so that its figures can be compared.
    negatives = "subcategory" if config.negatives == "rising" else config.negatives
    order = ExampleOrder(table, config.seed, shuffle=False, negatives=negatives)
    return _batches(order, vocabulary, config, batch_size, start=0, epochs=1)


def _batches(order, vocabulary, config, batch_size, start, epochs):
    dataset = _rows(order, start, epochs)
    make = _example_maker(order.table.feature_size, vocabulary, config)
    dataset = dataset.map(make, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    dataset = dataset.batch(batch_size, drop_remainder=epochs is None)
    return dataset.prefetch(tf.data.AUTOTUNE)


def _rows(order: ExampleOrder, start: int, epochs: int | None) -> tf.data.Dataset:
    """Examples before anything is drawn on their content: serialized record, donor, text, label, position."""
    table = order.table
    length = table.sequences.shape[1]

    def blocks():
        for block in order.blocks(start, epochs):
            yield {
                "files": block.files,
                "record": block.records,
                "donor": block.donors,
                "input_ids": table.sequences[block.texts],
                "used": table.lengths[block.texts],
                "matched": block.matched,
                "position": block.positions,
            }

    signature = {
        "files": tf.TensorSpec([None], tf.string),
        "record": tf.TensorSpec([None], tf.int32),
        "donor": tf.TensorSpec([None], tf.int32),
        "input_ids": tf.TensorSpec([None, length], tf.int32),
        "used": tf.TensorSpec([None], tf.int32),
        "matched": tf.TensorSpec([None], tf.bool),
        "position": tf.TensorSpec([None], tf.int64),
    }

    def read(block):
        files = block.pop("files")
        return block, tf.data.TFRecordDataset(files).batch(1 << 31).get_single_element()

    def rows(block, serialized):
        def gather(row):
            return {**row, "record": tf.gather(serialized, row["record"]), "donor": tf.gather(serialized, row["donor"])}

        return tf.data.Dataset.from_tensor_slices(block).map(gather)

    # One block is read ahead while the one before is used.
    return tf.data.Dataset.from_generator(blocks, output_signature=signature).map(read).prefetch(1).flat_map(rows)


def _example_maker(feature_size: int, vocabulary: Vocabulary, config: PipelineConfig):
    """The function that turns a row into a training example; its draws depend on (seed, position) only."""
    is_continuation = tf.constant(vocabulary.is_continuation)

    def make(row):
        seed = tf.stack([tf.constant(config.seed, tf.int64), row["position"]])
        example = {**records.parse(row["record"], feature_size), **_text(row)}
        example["donor_patch"] = _donor_patch(row["donor"], seed, feature_size)
        example.update(_alignments(example, row["matched"]))
        example = choose_masked(example, seed, config.masking, is_continuation)
        example = mask_tokens(example, seed, config.masking, vocabulary)
        example = kaleido_tasks.apply_tasks(example, seed, config.tasks)
        return _model_inputs(example, config)

    return make


def _text(row) -> dict:
    mask = tf.sequence_mask(row["used"], row["input_ids"].shape[0], tf.int32)
    return {
        "input_ids": row["input_ids"],
        "input_mask": mask,
        "segment_ids": tf.zeros_like(mask),
        "next_sentence_label": tf.cast(row["matched"], tf.int32),
    }


def _donor_patch(serialized, seed, feature_size):
    """One patch of level 3, drawn at random, of another product."""
    level = patches.level_slice("camouflage")
    patch = tf.random.stateless_uniform([], fold(seed, 9), level.start, level.stop, dtype=tf.int32)
    return records.parse_patch(serialized, patch, feature_size)


def _alignments(example, matched) -> dict:
    """The record's (token, patch) pairs, as places in `input_ids`; a foreign text has none, nor has a cut-off token."""
    places = tf.cast(example["alignment_tokens"], tf.int32) + 1  # after [CLS]
    inside = matched & (places < tf.reduce_sum(example["input_mask"]) - 1)
    return {
        "alignment_tokens": tf.boolean_mask(places, inside),
        "alignment_patches": tf.cast(tf.boolean_mask(example["alignment_patches"], inside), tf.int32),
    }


def _model_inputs(example, config: PipelineConfig) -> dict:
    """Just what the model takes, in its types and with every size known."""
    tasks = config.tasks
    names = ["input_ids", "input_mask", "segment_ids", "next_sentence_label"]
    names += ["masked_lm_positions", "masked_lm_ids", "masked_lm_weights"]
    names += [f"{level}_label" for level in ("rotation", "jigsaw", "camouflage") if level in tasks]
    inputs = {name: example[name] for name in names}
    boxes = tf.cast(example["patch_boxes"], tf.int32)
    for level in patches.LEVEL_NAMES:
        inputs[f"{level}_features"] = tf.cast(example[f"{level}_features"], tf.float32)
        inputs[f"{level}_boxes"] = boxes[patches.level_slice(level)]
    for level, budget in zip(MASKED_LEVELS, config.masking.patch_budgets):
        if level in tasks and f"{level}_positions" in example:
            inputs[f"{level}_positions"] = tf.ensure_shape(example[f"{level}_positions"], [budget])
            if f"{level}_targets" in example:
                targets = tf.cast(example[f"{level}_targets"], tf.float32)
                inputs[f"{level}_targets"] = tf.ensure_shape(targets, [budget, targets.shape[-1]])
    return inputs
