"""A row of the pipeline to an example of Kaleido-BERT: mask by alignment, then the kaleido tasks
(sections 3.4, 3.6).

Each task takes one example's dict and gives the features of its level and the labels. F = feature
size.
In: `patch_features` [55, F], `rotated_features` [3, F], `grey_features` [16, F], `donor_patch` [F]
(a patch of level 3 of another product), `masked_patches` [55] bool (True: masked, see
aligned_masking.py).
"""

import tensorflow as tf

from kaleido_tf import patches
from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.data.pipeline import TEXT_INPUTS, RecordExamples, row_text
from kaleido_tf.data.record_table import open_records
from kaleido_tf.data.sampling import Draw, fold, row_seed
from kaleido_tf.data.token_masking import MaskingConfig, mask_tokens
from kaleido_tf.models.kaleido_bert.aligned_masking import choose_masked
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig
from kaleido_tf.records.parsing import parse_patch, parse_record
from kaleido_tf.records.record import KALEIDO
from kaleido_tf.text import Vocabulary


def open_examples(
    pattern: str,
    settings: ExamplesConfig,
    config: KaleidoBertConfig,
    tasks: tuple[str, ...],
    vocabulary: Vocabulary,
) -> RecordExamples:
    """The examples that a run makes of the records at `pattern`. Raises: InputError as
    `open_records`.
    """
    size, length = config.patch_feature_size, settings.text_length
    table = open_records(pattern, KALEIDO, size, vocabulary, length)
    masking = MaskingConfig.of(settings, config.max_masked_tokens)
    make_example = example_maker(config, tasks, vocabulary, masking, settings.seed, table.storage)
    return RecordExamples(table, make_example, settings, donors=True)


def example_maker(
    config: KaleidoBertConfig,
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
    budgets, size = config.patch_budgets, config.patch_feature_size

    def make(row):
        draw = row_seed(row, seed)
        record = parse_record(row["record"], size, storage=storage)
        example = {**record, **row_text(row)}
        example["donor_patch"] = parse_patch(row["donor"], draw_donor_patch(draw), size, storage)
        example.update(_alignments(example, row["matched"]))
        example = choose_masked(example, draw, masking, is_continuation, budgets)
        example = mask_tokens(example, draw, masking, vocabulary)
        example = apply_tasks(example, draw, tasks)
        return _model_inputs(example, tasks, budgets)

    return make


def draw_donor_patch(seed: tf.Tensor) -> tf.Tensor:
    """Which patch of the other product takes the camouflaged one's place: one of level 3, as its
    number among the 55.
    """
    level = patches.level_slice("camouflage")
    return tf.random.stateless_uniform(
        [], fold(seed, Draw.DONOR_PATCH), level.start, level.stop, dtype=tf.int32
    )


def _alignments(example, matched) -> dict:
    """The record's (token, patch) pairs, as places in `input_ids`; a foreign text has none, nor has
    a cut-off token.
    """
    places = tf.cast(example["alignment_tokens"], tf.int32) + 1  # after [CLS]
    inside = matched & (places < tf.reduce_sum(example["input_mask"]) - 1)
    return {
        "alignment_tokens": tf.boolean_mask(places, inside),
        "alignment_patches": tf.cast(
            tf.boolean_mask(example["alignment_patches"], inside), tf.int32
        ),
    }


def _model_inputs(example, tasks, budgets) -> dict:
    """Just what the model takes, in its types and with every size known."""
    labels = [f"{level}_label" for level in patches.CLASSIFIED_LEVELS if level in tasks]
    inputs = {name: example[name] for name in (*TEXT_INPUTS, *labels)}
    boxes = tf.cast(example["patch_boxes"], tf.int32)
    for level in patches.LEVEL_NAMES:
        inputs[f"{level}_features"] = tf.cast(example[f"{level}_features"], tf.float32)
        inputs[f"{level}_boxes"] = boxes[patches.level_slice(level)]
    for level, budget in zip(patches.MASKED_LEVELS, budgets):
        if level in tasks and f"{level}_positions" in example:
            inputs[f"{level}_positions"] = tf.ensure_shape(example[f"{level}_positions"], [budget])
            if f"{level}_targets" in example:
                targets = tf.cast(example[f"{level}_targets"], tf.float32)
                inputs[f"{level}_targets"] = tf.ensure_shape(targets, [budget, targets.shape[-1]])
    return inputs


def rotate(example: dict, seed: tf.Tensor) -> dict:
    """I: turns the whole crop by 0, 90, 180 or 270 degrees. `rotation_label`: index into
    `patches.ROTATIONS`.

    The box keeps the proportions of the unturned crop, which would give the answer away.
    """
    label = tf.random.stateless_uniform(
        [], fold(seed, Draw.ROTATION), 0, len(patches.ROTATIONS), dtype=tf.int32
    )
    turned = tf.concat([example["patch_features"][:1], example["rotated_features"]], axis=0)
    return {"rotation_features": turned[label][None], "rotation_label": label}


def shuffle_jigsaw(example: dict, seed: tf.Tensor) -> dict:
    """II: permutes the four patches of level 2; their boxes stay. `jigsaw_label`: row of
    `JIGSAW_PERMUTATIONS`.
    """
    label = tf.random.stateless_uniform(
        [], fold(seed, Draw.JIGSAW), 0, len(patches.JIGSAW_PERMUTATIONS), dtype=tf.int32
    )
    order = tf.gather(patches.JIGSAW_PERMUTATIONS, label)
    features = example["patch_features"][patches.level_slice("jigsaw")]
    return {"jigsaw_features": tf.gather(features, order), "jigsaw_label": label}


def camouflage(example: dict, seed: tf.Tensor) -> dict:
    """III: replaces the masked patch of level 3 by one of another product. `camouflage_label`:
    which one.
    """
    del seed  # the patch was chosen by masking, the donor by sampling
    masked = example["masked_patches"][patches.level_slice("camouflage")]
    features = example["patch_features"][patches.level_slice("camouflage")]
    return {
        "camouflage_features": tf.where(masked[:, None], example["donor_patch"], features),
        "camouflage_label": tf.argmax(tf.cast(masked, tf.int32), output_type=tf.int32),
    }


def grey(example: dict, seed: tf.Tensor) -> dict:
    """IV: takes the colour from the masked patches of level 4. `grey_to_color_targets` [2, F]:
    their colour features.
    """
    del seed
    masked = example["masked_patches"][patches.level_slice("grey_to_color")]
    features = example["patch_features"][patches.level_slice("grey_to_color")]
    positions = _positions(masked)
    return {
        "grey_to_color_features": tf.where(masked[:, None], example["grey_features"], features),
        "grey_to_color_positions": positions,
        "grey_to_color_targets": tf.gather(features, positions),
    }


def blank(example: dict, seed: tf.Tensor) -> dict:
    """V: names the masked patches of level 5; the model blanks them itself, since it needs them as
    its target.
    """
    del seed
    masked = example["masked_patches"][patches.level_slice("blank_to_color")]
    return {
        "blank_to_color_features": example["patch_features"][patches.level_slice("blank_to_color")],
        "blank_to_color_positions": _positions(masked),
    }


def _positions(masked):
    return tf.cast(tf.where(masked)[:, 0], tf.int32)


TASK_INPUTS = {
    "rotation": rotate,
    "jigsaw": shuffle_jigsaw,
    "camouflage": camouflage,
    "grey_to_color": grey,
    "blank_to_color": blank,
}


def apply_tasks(example: dict, seed: tf.Tensor, tasks: tuple[str, ...]) -> dict:
    """Runs the chosen tasks; a level whose task is off is passed on as it is."""
    result = {}
    for level in patches.LEVEL_NAMES:
        if level in tasks:
            result.update(TASK_INPUTS[level](example, seed))
        else:
            result[f"{level}_features"] = example["patch_features"][patches.level_slice(level)]
    return {**example, **result}
