"""The five sub-tasks, alone and inside tf.data. F = 3; patch p of the example holds p in every
feature.
"""

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf import patches
from kaleido_tf.models.kaleido_bert.examples import (
    apply_tasks,
    blank,
    camouflage,
    grey,
    rotate,
    shuffle_jigsaw,
)


def example(masked=(7, 15, 20, 31, 40, 54)):
    flags = np.zeros([patches.NUM_PATCHES], bool)
    flags[list(masked)] = True
    return {
        "patch_features": tf.repeat(tf.range(55.0)[:, None], 3, axis=1),
        "rotated_features": tf.repeat(tf.constant([[90.0], [180.0], [270.0]]), 3, axis=1),
        "grey_features": tf.repeat(tf.range(16.0)[:, None] + 1000, 3, axis=1),
        "donor_patch": tf.constant([-1.0, -1.0, -1.0]),
        "masked_patches": tf.constant(flags),
    }


def first_values(features):
    return features.numpy()[:, 0].tolist()


def test_rotation_label_says_how_the_whole_was_turned():
    seen = set()
    for number in range(40):
        result = rotate(example(), tf.constant([1, number]))
        label = int(result["rotation_label"])
        degrees = patches.ROTATIONS[label]
        assert first_values(result["rotation_features"]) == [degrees]  # patch 0 holds 0
        seen.add(label)
    assert seen == {0, 1, 2, 3}


def test_jigsaw_label_says_which_patch_lies_where():
    seen = set()
    for number in range(120):
        result = shuffle_jigsaw(example(), tf.constant([1, number]))
        label = int(result["jigsaw_label"])
        assert first_values(result["jigsaw_features"]) == [
            1.0 + p for p in patches.JIGSAW_PERMUTATIONS[label]
        ]
        seen.add(label)
    assert len(seen) > 20


def test_camouflage_replaces_the_masked_patch():
    result = camouflage(example(), None)
    assert int(result["camouflage_label"]) == 7 - 5
    assert first_values(result["camouflage_features"]) == [5, 6, -1, 8, 9, 10, 11, 12, 13]


def test_grey_patches_lose_their_colour_and_keep_it_as_target():
    result = grey(example(), None)
    assert result["grey_to_color_positions"].numpy().tolist() == [1, 6]
    assert first_values(result["grey_to_color_targets"]) == [15, 20]
    assert first_values(result["grey_to_color_features"]) == [
        14,
        1001,
        16,
        17,
        18,
        19,
        1006,
        *range(21, 30),
    ]


def test_blank_patches_are_named_and_left_for_the_model():
    result = blank(example(), None)
    assert result["blank_to_color_positions"].numpy().tolist() == [1, 10, 24]
    assert first_values(result["blank_to_color_features"]) == list(range(30, 55))


def test_level_whose_task_is_off_is_passed_on():
    result = apply_tasks(example(), tf.constant([1, 2]), ("jigsaw",))
    assert first_values(result["rotation_features"]) == [0]
    assert first_values(result["camouflage_features"]) == list(range(5, 14))
    assert first_values(result["grey_to_color_features"]) == list(range(14, 30))
    assert (
        "jigsaw_label" in result
        and "rotation_label" not in result
        and "blank_to_color_positions" not in result
    )


@pytest.mark.parametrize("number", range(3))
def test_same_inside_tf_data(number):
    alone = apply_tasks(example(), tf.constant([5, number]), patches.LEVEL_NAMES)
    dataset = tf.data.Dataset.range(3).map(
        lambda n: apply_tasks(example(), tf.stack([5, n]), patches.LEVEL_NAMES)
    )
    inside = list(dataset.as_numpy_iterator())[number]
    for name, value in alone.items():
        np.testing.assert_array_equal(value, inside[name])
