"""MVLT under training: the release's first two steps, and what the trainer needs."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from kaleido_tf.models.mvlt import original
from kaleido_tf.models.mvlt.model import Mvlt
from kaleido_tf.training.dropout import StepDropout
from kaleido_tf.training.optimizer import AdamW
from kaleido_tf.training.run_config import RunConfig
from kaleido_tf.training.schedule import make_optimizer, plan
from tests.golden_files import mvlt, read_json
from tests.mvlt_golden import (
    arrays,
    batch_of,
    channels_first,
    config,
    encoder_feed,
    model_of,
    pretraining_feed,
)

RATE, DECAY = 1e-3, 0.01
"""Of the release's optimizer in the golden files."""


def test_first_forward_and_two_steps_of_the_release():
    model, expected = model_of("sq96"), arrays("reduced_train")
    names = original.variable_names(model)
    trained = {
        key: entry
        for key, entry in names.items()
        if entry.variable.trainable and not key.startswith(("sup_cls", "sub_cls"))
    }
    variables, seen = [entry.variable for entry in trained.values()], []
    optimizer = AdamW(RATE, weight_decay_ratio=DECAY)
    optimizer.build(variables)
    for given in ("clean", "masked"):
        with tf.GradientTape() as tape:
            sums = model.losses(pretraining_feed(batch_of("sq96", given)), training=True)
            means = {name: sums[name].mean() for name in model.loss_names}
            total, _ = model.total(means)
        gradients = tape.gradient(total, variables)
        optimizer.apply_gradients(zip(map(tf.convert_to_tensor, gradients), variables))
        means["image_loss"] *= 10
        seen.append([*(float(value) for value in means.values()), float(total)])
    np.testing.assert_allclose(np.mean(seen, axis=0), expected["two_step/mean_losses"], rtol=1e-4)
    after = [key for key in expected if key.startswith("two_step/after/")]
    assert len(after) == 33
    for key in after:
        entry = names[key.removeprefix("two_step/after/")]
        ours = entry.to_original(entry.variable.numpy())
        np.testing.assert_allclose(ours, expected[key], atol=1e-4, rtol=1e-4, err_msg=key)


def test_what_decays_in_the_release():
    groups = read_json(mvlt() / "adamw_groups.json")
    names = original.variable_names(model_of("sq64"))
    ours = {key for key, entry in names.items() if len(entry.variable.shape) > 1}
    trained = {*groups["decay"], *groups["no_decay"]} - {original.DECODER}
    assert len(trained) > 200 and trained <= set(names)
    assert ours & trained == set(groups["decay"]) - {original.DECODER}


@pytest.mark.parametrize("name", ["pretrain_exp21_1gpu", "finetune_exp48_1gpu"])
def test_rates_of_the_release(name):
    given = read_json(mvlt() / "lr_schedule.json")[name]
    run = RunConfig(
        learning_rate=given["scaled_lr"],
        num_epochs=given["epochs"],
        warmup_ratio=5 / given["epochs"],
        optimizer="adamw",
        schedule="epoch_cosine",
        weight_decay_ratio=0.01,
    )
    schedule = plan(run, examples=1001, global_batch=150)  # an epoch is no whole number of steps
    optimizer = make_optimizer(run, schedule)
    first_steps = [int(np.ceil(epoch * schedule.epoch)) for epoch in range(given["epochs"])]
    rates = [float(optimizer._learning_rate(step)) for step in first_steps]
    np.testing.assert_allclose(rates, given["lr_used_in_epoch"], rtol=1e-5)
    before = [float(optimizer._learning_rate(step - 1)) for step in first_steps[1:]]
    np.testing.assert_allclose(before, given["lr_used_in_epoch"][:-1], rtol=1e-5)
    assert isinstance(optimizer, AdamW) and given["eps"] == optimizer.epsilon == 1e-8
    assert [optimizer.beta_1, optimizer.beta_2] == given["betas"]


def test_training_updates_batch_statistics_as_in_the_release():
    model, expected = model_of("sq96"), arrays("reduced_train")
    encoded = model.encoder(encoder_feed(batch_of("sq96", "masked")), training=True)
    image = channels_first(model.named_layers["image"](*encoded["image_maps"][1:], training=True))
    theirs = expected["train_mode/masked/t2i_logits"]
    assert np.abs(image - theirs).max() <= 1e-5 * np.abs(theirs).max()
    names = original.variable_names(model)
    prefix = "train_mode/after_1_forward/"
    updated = {
        key.removeprefix(prefix): array for key, array in expected.items() if key.startswith(prefix)
    }
    assert len(updated) == 22
    for key, array in updated.items():
        np.testing.assert_allclose(names[key].variable, array, rtol=1e-5, atol=1e-6, err_msg=key)


def small_model(tasks=None):
    """With chance: blocks are skipped and words dropped."""
    small = config(depths=(1, 1, 1, 1), drop_path_prob=0.3, hidden_dropout_prob=0.2)
    return Mvlt(small, tasks, image_size=(32, 64))


def small_feed(model):
    feed = pretraining_feed(batch_of("sq64", "masked"))
    feed |= {name: feed[name][:, :32] for name in ("images", "image_targets")}
    return {name: feed[name] for name in model.pretraining_inputs()}


def test_chance_is_drawn_by_step():
    model = small_model(tasks=())
    dropout, feed = StepDropout(list(model.named_layers.values())), small_feed(model)
    assert dropout.count == 9  # of the words, and two of each block

    def loss_at(step):
        dropout.at(7, tf.constant(step, tf.int64))
        return float(model.losses(feed, training=True)["masked_lm_loss"].mean())

    first, second = loss_at(1), loss_at(2)
    assert loss_at(1) == first != second


@pytest.fixture
def bfloat16():
    tf_keras.mixed_precision.set_global_policy("mixed_bfloat16")
    yield
    tf_keras.mixed_precision.set_global_policy("float32")


def test_mixed_precision_has_float32_logits_losses_and_all_gradients(bfloat16):
    model = small_model()
    with tf.GradientTape() as tape:
        outputs = model.pretrainer(small_feed(model), training=True)
        total, _ = model.total({name: loss.mean() for name, loss in outputs["losses"].items()})
    assert {value.dtype for value in (*outputs["logits"].values(), total)} == {tf.float32}
    gradients = tape.gradient(total, model.trainable_variables)
    assert all(np.isfinite(tf.convert_to_tensor(gradient)).all() for gradient in gradients)
    assert model.classifier.output["category"].dtype == tf.float32
