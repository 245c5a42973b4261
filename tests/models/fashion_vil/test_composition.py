"""Text-guided retrieval: query, target and loss of the release, within the tolerances of its golden
files.
"""

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.models.fashion_vil.contrast import one_way_contrast
from tests.fashion_vil_golden import arrays, batch, shared_model

STATES = 1e-4
LOSS = 1e-5
"""Relative."""


@pytest.fixture(scope="module")
def model():
    return shared_model()


def tokens_of(name):
    return tf.constant(arrays("pretrain_outputs")[f"encoder/{name}_tokens"])


def expected(name):
    return arrays("downstream_outputs")[f"composition/{name}"]


def numbers(count):
    return tf.range(count)[:, None]


def test_query_target_and_loss_of_the_release(model):
    scale = arrays("downstream_extra_weights")["composition/model.norm_layer.norm_s"]
    states = model.joint_states(batch(), tokens_of("image"))
    np.testing.assert_allclose(states, expected("joint_sequence_out"), atol=STATES)
    queries = scale * tf.math.l2_normalize(
        model.composed_means(batch(), tokens_of("image")), axis=-1
    )
    targets = scale * tf.math.l2_normalize(model.image_means(tokens_of("dv_image")), axis=-1)
    np.testing.assert_allclose(queries, expected("scores"), atol=STATES)
    np.testing.assert_allclose(targets, expected("targets"), atol=STATES)
    loss = one_way_contrast(queries, targets, numbers(len(targets)))["loss"].mean()
    assert float(loss) == pytest.approx(expected("loss_bbc_loss")[0], rel=LOSS)


def test_vectors_are_those_of_the_release_at_length_1(model):
    scale = arrays("downstream_extra_weights")["composition/model.norm_layer.norm_s"]
    found = model.composed_vectors(batch(), batch())
    np.testing.assert_allclose(scale * found, expected("scores"), atol=1e-3)


def test_the_loss_looks_for_targets_only():
    units = arrays("units")
    queries, targets = (tf.constant(units[f"in/{name}"]) for name in ("e1", "e2"))
    found = one_way_contrast(queries, targets, numbers(len(targets)))["loss"].mean()
    assert float(found) == pytest.approx(float(units["out/bbc"]), rel=LOSS)
    other = one_way_contrast(targets, queries, numbers(len(targets)))["loss"].mean()
    assert abs(float(found) - float(other)) > 1e-2


def test_rows_of_one_target_are_neither_right_nor_wrong():
    queries = tf.constant([[1.0, 0], [0, 2], [3, 0]])
    targets = tf.constant([[1.0, 0], [0, 1], [1, 0]])
    found = one_way_contrast(queries, targets, tf.constant([[4], [7], [4]]))
    # The first and the third have one wrong target each, the second two.
    losses = [np.log1p(np.exp(-1)), np.log1p(2 * np.exp(-2)), np.log1p(np.exp(-3))]
    assert float(found["loss"].mean()) == pytest.approx(np.mean(losses), rel=1e-6)
    assert float(found["accuracy"].mean()) == 1


def test_references_as_wrong_answers():
    """They are one more wrong answer each, but for one that is the target."""
    queries, targets = tf.constant([[1.0, 0], [0, 2]]), tf.eye(2)
    numbers_of_targets, wrong = tf.constant([[4], [7]]), tf.constant([[2.0, 0], [0, 3]])
    given = (queries, targets, numbers_of_targets)
    found = one_way_contrast(*given, (wrong, tf.constant([[9], [4]])))
    # Logits of the first: 1 and 0 of targets, 2, and its own target once more, which is left out.
    first = np.log(np.exp([1.0, 0, 2]).sum()) - 1
    second = np.log(np.exp([0.0, 2, 0, 6]).sum()) - 2
    assert float(found["loss"].mean()) == pytest.approx((first + second) / 2, rel=1e-6)
    assert float(found["accuracy"].mean()) == 0
