"""The five kaleido tasks on an example's patches (Kaleido-BERT, section 3.6, sub-tasks I to V).

Each function takes one example's dict and gives the features of its level and the labels. F = feature size.
In: `patch_features` [55, F], `rotated_features` [3, F], `grey_features` [16, F], `donor_patch` [F] (a patch of level 3 of
another product), `masked_patches` [55] bool (True: masked, see masking.py).
"""

import tensorflow as tf

from kaleido_tf import patches
from kaleido_tf.data.masking import fold


def rotate(example: dict, seed: tf.Tensor) -> dict:
    """I: turns the whole crop by 0, 90, 180 or 270 degrees. `rotation_label`: index into `patches.ROTATIONS`.

    The box keeps the proportions of the unturned crop, which would give the answer away.
    """
    label = tf.random.stateless_uniform([], fold(seed, 7), 0, len(patches.ROTATIONS), dtype=tf.int32)
    turned = tf.concat([example["patch_features"][:1], example["rotated_features"]], axis=0)
    return {"rotation_features": turned[label][None], "rotation_label": label}


def shuffle_jigsaw(example: dict, seed: tf.Tensor) -> dict:
    """II: permutes the four patches of level 2; their boxes stay. `jigsaw_label`: row of `JIGSAW_PERMUTATIONS`."""
    label = tf.random.stateless_uniform([], fold(seed, 8), 0, len(patches.JIGSAW_PERMUTATIONS), dtype=tf.int32)
    order = tf.gather(patches.JIGSAW_PERMUTATIONS, label)
    features = example["patch_features"][patches.level_slice("jigsaw")]
    return {"jigsaw_features": tf.gather(features, order), "jigsaw_label": label}


def camouflage(example: dict, seed: tf.Tensor) -> dict:
    """III: replaces the masked patch of level 3 by one of another product. `camouflage_label`: which one."""
    del seed  # the patch was chosen by masking, the donor by sampling
    masked = example["masked_patches"][patches.level_slice("camouflage")]
    features = example["patch_features"][patches.level_slice("camouflage")]
    return {
        "camouflage_features": tf.where(masked[:, None], example["donor_patch"], features),
        "camouflage_label": tf.argmax(tf.cast(masked, tf.int32), output_type=tf.int32),
    }


def grey(example: dict, seed: tf.Tensor) -> dict:
    """IV: takes the colour from the masked patches of level 4. `grey_to_color_targets` [2, F]: their colour features."""
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
    """V: names the masked patches of level 5; the model blanks them itself, since it needs them as its target."""
    del seed
    masked = example["masked_patches"][patches.level_slice("blank_to_color")]
    return {
        "blank_to_color_features": example["patch_features"][patches.level_slice("blank_to_color")],
        "blank_to_color_positions": _positions(masked),
    }


def _positions(masked):
    return tf.cast(tf.where(masked)[:, 0], tf.int32)


TASKS = {"rotation": rotate, "jigsaw": shuffle_jigsaw, "camouflage": camouflage, "grey_to_color": grey, "blank_to_color": blank}


def apply_tasks(example: dict, seed: tf.Tensor, tasks: tuple[str, ...]) -> dict:
    """Runs the chosen tasks; a level whose task is off is passed on as it is."""
    result = {}
    for level in patches.LEVEL_NAMES:
        if level in tasks:
            result.update(TASKS[level](example, seed))
        else:
            result[f"{level}_features"] = example["patch_features"][patches.level_slice(level)]
    return {**example, **result}
