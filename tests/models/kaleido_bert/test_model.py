"""Golden parity with the original implementation, within the tolerances of
tests/golden/README.md.
"""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from kaleido_tf.compat.checkpoints.checkpoint_names import original_variables
from kaleido_tf.compat.checkpoints.weights import load_weights
from kaleido_tf.families import read_config
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig
from kaleido_tf.models.kaleido_bert.model import KaleidoBert
from kaleido_tf.patches import LEVEL_NAMES, LEVEL_PATCHES, NUM_PATCHES, level_slice
from tests.golden_batches import KALEIDO_LOGITS, LEVEL_COLUMNS, blanked, pretraining_batch
from tests.golden_files import (
    checkpoint_in,
    golden_folder,
    kaleido_bert,
    models_in,
    variable_shapes,
)
from tests.tiny_models import random_feed, tiny_config

LOSSES = {name: golden.replace("_logits", "_loss") for name, golden in KALEIDO_LOGITS.items()}


class Golden:
    """One golden configuration: model with the original's weights, its batch, the
    expected arrays.
    """

    def __init__(self, folder):
        self.folder = folder
        self.config = read_config(folder / "config.json")
        self.model = KaleidoBert(self.config)
        _ = self.model.pretrainer  # makes all weights
        load_weights(self.model, checkpoint_in(folder))
        columns = dict(np.load(folder.parent / "inputs.npz"))
        self.batch = pretraining_batch(columns, self.config.patch_feature_size)
        self.expected = dict(np.load(folder / "outputs.npz"))


def encoder_with_patch_mask(model):
    """As `encoder`, with a further input `patch_mask` [B, P] (0: as if the patch were not there),
    which the original's function takes and its scripts never give.
    """
    inputs = model.encoder_inputs()
    inputs["patch_mask"] = tf_keras.Input([model.num_patches], dtype=tf.int32, name="patch_mask")
    sequence = model._encode(*model._embed(inputs), inputs)
    pooled = model.named_layers["pooler"](sequence)
    return tf_keras.Model(inputs, {"sequence_output": sequence, "pooled_output": pooled})


@pytest.fixture(scope="module", params=[path.name for path in models_in("kaleidobert_tiny")])
def golden(request):
    return Golden(golden_folder() / "kaleidobert_tiny" / request.param)


@pytest.fixture(scope="module")
def results(golden):
    """Outputs and gradients of the total loss, dropout off."""
    with tf.GradientTape() as tape:
        outputs = golden.model.pretrainer(golden.batch, training=False)
        total = tf.add_n([loss.mean() for loss in outputs["losses"].values()])
    entries = original_variables(golden.model)
    gradients = tape.gradient(
        total, [entry.variable for entry in entries.values()], unconnected_gradients="zero"
    )
    arrays = {
        name: entry.to_original(tf.convert_to_tensor(gradient).numpy())
        for (name, entry), gradient in zip(entries.items(), gradients)
    }
    return outputs, float(total), arrays


@pytest.mark.parametrize("name", KALEIDO_LOGITS)
def test_logits(golden, results, name):
    expected = golden.expected[KALEIDO_LOGITS[name]]
    np.testing.assert_allclose(
        results[0]["logits"][name].numpy().reshape(expected.shape), expected, atol=2e-5, rtol=1e-5
    )


@pytest.mark.parametrize("name", LOSSES)
def test_losses(golden, results, name):
    mean = results[0]["losses"][f"{name}_loss"].mean()
    np.testing.assert_allclose(mean, golden.expected[LOSSES[name]], atol=2e-6, rtol=1e-5)


def test_total_loss(golden, results):
    np.testing.assert_allclose(results[1], golden.expected["total_loss"], atol=2e-6, rtol=1e-5)


def test_every_gradient(golden, results):
    expected = np.load(golden.folder / "grads.npz")
    assert set(expected) == set(results[2])
    for name, gradient in results[2].items():
        if name.endswith("self/key/bias"):  # mathematically zero: rounding noise only
            assert np.abs(gradient).max() < 1e-5
            continue
        tolerance = 1e-6 + 3e-5 * np.abs(expected[name]).max()
        assert np.abs(gradient - expected[name]).max() <= tolerance, name


def test_global_gradient_norm(golden, results):
    norm = np.sqrt(sum(np.square(array.astype(np.float64)).sum() for array in results[2].values()))
    np.testing.assert_allclose(norm, golden.expected["grad_global_norm_dense"], rtol=1e-5)


def test_sequence_and_pooled_output(golden):
    feed = blanked(golden.batch, "blank_to_color_features", "blank_to_color_positions")
    outputs = golden.model.encoder(
        {name: feed[name] for name in golden.model.encoder.input}, training=False
    )
    for name in ("sequence_output", "pooled_output"):
        np.testing.assert_allclose(outputs[name], golden.expected[name], atol=2e-5, rtol=1e-5)


def test_matcher_is_the_originals_predict_mode(golden):
    feed = {name: golden.batch[name] for name in golden.model.matcher.input}
    logits = golden.model.matcher(feed, training=False)
    np.testing.assert_allclose(logits, golden.expected["predict_nsp_logits"], atol=2e-5, rtol=1e-5)


PARTIAL_CASES = {  # case: (levels fed, blanked, other inputs)
    "text_only": ((), False),
    "text_without_mask_or_segments": ((), False),
    "text_plus_rotation_without_location": (("rotation",), False),
    "text_plus_jigsaw_and_blank": (("jigsaw", "blank_to_color"), True),
    "explicit_level_mask": (("jigsaw",), False),
    "image_only": (("rotation",), False),
}


@pytest.mark.parametrize("case", PARTIAL_CASES)
def test_calls_with_inputs_left_out(case):
    """Quirk K6: an absent level is masked zeros; a level fed without location has ones for its
    boxes.
    """
    golden = Golden(kaleido_bert())
    levels, is_blanked = PARTIAL_CASES[case]
    feed = {name: golden.batch[name].numpy().copy() for name in golden.model.encoder.input}
    mask = np.zeros([len(feed["input_ids"]), NUM_PATCHES], np.int32)
    for level in LEVEL_NAMES:
        if level in levels:
            mask[:, level_slice(level)] = 1
        else:
            feed[f"{level}_features"][:] = 0
            feed[f"{level}_boxes"][:] = 0
    if case == "text_without_mask_or_segments":
        feed["input_mask"][:], feed["segment_ids"][:] = 1, 0
    if case == "text_plus_rotation_without_location":
        feed["rotation_boxes"][:] = 1
    if case == "explicit_level_mask":
        mask[:, level_slice("jigsaw")] = [1, 0, 1, 0]
    if case == "image_only":
        for name in ("input_ids", "input_mask", "segment_ids"):
            feed[name][:] = 0
    if is_blanked:
        for row, places in enumerate(golden.batch["blank_to_color_positions"].numpy().tolist()):
            for place in set(places):
                feed["blank_to_color_features"][row, place] *= 1 - places.count(place)
    feed["patch_mask"] = mask
    outputs = encoder_with_patch_mask(golden.model)(
        {k: tf.constant(v) for k, v in feed.items()}, training=False
    )
    expected = np.load(golden.folder / "outputs_partial.npz")
    for name in ("sequence_output", "pooled_output"):
        np.testing.assert_allclose(outputs[name], expected[f"{case}/{name}"], atol=2e-5, rtol=1e-5)


def test_every_variable_of_the_original_is_known(golden):
    ours = {name: entry.original_shape for name, entry in original_variables(golden.model).items()}
    assert ours == variable_shapes(golden.folder)
    assert len(ours) == len(golden.model.trainable_variables)


@pytest.mark.parametrize(
    "tasks", [(), ("rotation",), ("rotation", "jigsaw"), ("blank_to_color",), KaleidoBert.TASKS]
)
def test_any_subset_of_tasks(tasks):
    """The paper's ablation B, B+I, ..., B+V: heads, inputs and losses of the chosen tasks only."""
    model = KaleidoBert(tiny_config(), tasks, text_length=7)
    outputs = model.pretrainer(random_feed(model.pretrainer, rows=3))
    assert set(outputs["losses"]) == {
        f"{name}_loss" for name in ("masked_lm", "next_sentence", *tasks)
    }
    assert outputs["logits"]["masked_lm"].shape == (3, 4, 23)
    assert outputs["logits"]["next_sentence"].shape == (3, 2)
    absent = set(KaleidoBert.TASKS) - set(tasks)
    assert not absent & set(model.named_layers)


def test_relative_boxes_do_not_depend_on_the_resolution():
    model = KaleidoBert(tiny_config(box_unit="relative"), (), text_length=7)
    feed = random_feed(model.matcher, rows=2)
    rotation = tf.constant([[[0, 64, 0, 32, 64 * 32]]] * 2)
    small = {
        **feed,
        **{
            f"{level}_boxes": tf.repeat(rotation, LEVEL_PATCHES[level], axis=1)
            for level in LEVEL_COLUMNS
        },
    }
    scale = tf.constant([2, 2, 2, 2, 4])
    large = {
        name: value * scale if name.endswith("_boxes") else value for name, value in small.items()
    }
    np.testing.assert_allclose(model.matcher(small), model.matcher(large), atol=1e-6)


def test_matcher_computes_what_the_encoder_computes():
    """The matcher's last block computes the first place only; its logits are those of the whole
    sequence.
    """
    model = KaleidoBert(tiny_config(), (), text_length=7)
    feed = random_feed(model.matcher, rows=2)
    pooled = model.encoder(feed)["pooled_output"]
    np.testing.assert_allclose(
        model.matcher(feed), model.named_layers["next_sentence"](pooled[:, None]), atol=1e-6
    )


def test_checkpoint_of_another_shape_is_refused_whole():
    folder = kaleido_bert()
    config = read_config(folder / "config.json")
    hidden, size = config.hidden_size, config.intermediate_size
    changed = {**config.to_dict(), "intermediate_size": size - 16}
    model = KaleidoBert(KaleidoBertConfig.from_dict(changed))
    before = [variable.numpy() for variable in model.trainable_variables]
    with pytest.raises(
        ValueError,
        match=(
            r"does not fit the model of its config.json. Not found: 0. Of another shape: "
            rf"{3 * config.num_hidden_layers} \(kaleido_bert_pre_trained_model/bert/encoder/layer_0"
            rf".*needs \[{hidden}, {size - 16}\], found \[{hidden}, {size}\]"
        ),
    ):
        load_weights(model, checkpoint_in(folder))
    for old, variable in zip(before, model.trainable_variables):
        np.testing.assert_array_equal(old, variable.numpy())


def test_path_that_is_no_checkpoint_is_named(tmp_path):
    with pytest.raises(
        ValueError, match="A checkpoint prefix is needed. .*model.ckpt-7 cannot be read"
    ):
        model = KaleidoBert(tiny_config(), (), text_length=7)
        _ = model.matcher
        load_weights(model, str(tmp_path / "model.ckpt-7"))


def test_weights_do_not_depend_on_which_functional_model_comes_first():
    """A run is repeated by its seed, whatever is built beside the pretrainer."""
    weights = []
    for first in ("matcher", "pretrainer"):
        tf_keras.utils.set_random_seed(3)
        model = KaleidoBert(tiny_config(matching_similarity=True), text_length=7)
        _ = getattr(model, first)
        weights.append([variable.numpy() for variable in model.trainable_variables])
    assert len(weights[0]) == len(weights[1]) > 50
    for one, other in zip(*weights):
        np.testing.assert_array_equal(one, other)


def test_only_what_is_used_is_built():
    model = KaleidoBert(read_config(kaleido_bert() / "config.json"), ())
    path = checkpoint_in(kaleido_bert())
    with pytest.raises(RuntimeError, match="Use one of the model's functional models"):
        load_weights(model, path)
    feed = random_feed(model.matcher, rows=1)
    assert not model.named_layers["masked_lm"].built
    before = model.matcher(feed).numpy()
    load_weights(model, path)
    assert np.abs(model.matcher(feed).numpy() - before).max() > 1e-3


def test_loss_weights_are_the_models():
    model = KaleidoBert(tiny_config(), ("jigsaw",), 7, {"next_sentence": 3.0})
    means = {"masked_lm_loss": 1.0, "next_sentence_loss": 10.0, "jigsaw_loss": 100.0}
    assert model.total(means) == (131.0, {})
    assert model.loss_names == tuple(means)


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("xla", [False, True])
def test_compiled_models_take_batches_of_any_size(rows, xla):
    model = KaleidoBert(tiny_config(matching_similarity=True), text_length=7)
    for functional in (model.matcher, model.encoder, model.pretrainer):
        feed = random_feed(functional, rows)
        compiled = tf.function(lambda batch, f=functional: f(batch), jit_compile=xla)
        expected, result = (tf.nest.flatten(f(feed)) for f in (functional, compiled))
        for one, other in zip(expected, result):
            np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-5)


def test_texts_that_are_cut_to_their_length_have_the_same_losses_and_gradients():
    model = KaleidoBert(tiny_config(), text_length=11)
    feed = random_feed(model.pretrainer, rows=3)
    mask = np.zeros([3, 11], np.int32)
    mask[0, :7] = mask[1, :4] = mask[2, :6] = 1
    feed["input_mask"] = tf.constant(mask)
    feed["masked_lm_positions"] %= 4
    text = ("input_ids", "input_mask", "segment_ids")
    cut = {**feed, **{name: feed[name][:, :7] for name in text}}

    def found(batch):
        with tf.GradientTape() as tape:
            sums = model.losses(batch, training=True)
            total = tf.add_n([value for value, _ in sums.values()])
        gradients = tape.gradient(total, model.trainable_variables)
        return sums, [tf.convert_to_tensor(gradient) for gradient in gradients]

    (sums, gradients), (others, slopes) = found(feed), found(cut)
    assert len(sums) == len(others) > 7
    for name, pair in sums.items():
        np.testing.assert_allclose(others[name], pair, rtol=2e-6, err_msg=name)
    for variable, one, other in zip(model.trainable_variables, gradients, slopes, strict=True):
        np.testing.assert_allclose(other, one, atol=2e-5, err_msg=variable.name)
