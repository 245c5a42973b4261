"""Optimizer, rates and steps of FashionViL against the release's (tests/golden/README.md)."""

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.models.fashion_vil import original
from kaleido_tf.training.transformers_adamw import MultiStep, TransformersAdamW
from tests.fashion_vil_golden import arrays, batch, model_of, settings, shared_model

LOSS, VALUE = 1e-4, 2e-4
"""Relative; absolute: the release's own float32 differs from its float64 by 7e-6 and 7e-5."""


def test_which_weights_move_faster_and_which_decay():
    model, given = shared_model(), arrays("param_groups")
    optimizer = TransformersAdamW(1.0, 1.0)
    fast = {id(variable) for variable in model.fast_variables}
    names = original.variable_names(model)
    compared = 0
    for name, rate, decay in zip(given["name"], given["lr"], given["weight_decay"]):
        if "image_tokenizer" in name:  # is never trained
            continue
        entry = names[str(name)]
        assert (id(entry.variable) in fast) == (rate == given["lr"].max()), name
        assert optimizer.decays(entry.variable) == (decay != 0), name  # NaN: the default
        compared += 1
    assert compared == len(model.trainable_variables)


@pytest.mark.parametrize(
    "name, warmup, drops",
    [
        ("pretrain_final", 15000, (45000, 90000)),
        ("fashioniq", 2810, (16860, 28100)),
        ("classification", 0, (43260, 86520)),
        ("csa", 1000, (1500, 5000)),
    ],
)
def test_rates(name, warmup, drops):
    scope = f"out/sched/{name}"
    steps, factors = (arrays("units")[f"{scope}/{part}"] for part in ("update_index", "factor"))
    ours = [float(MultiStep(1.0, warmup, drops)(tf.constant(step))) for step in steps]
    np.testing.assert_allclose(ours, factors, rtol=1e-5)
    assert len(set(np.round(factors, 8))) > (warmup > 0)


def test_updates():
    """Of two variables; the gradients of the second begin at 1e-8, where epsilon decides."""
    given = arrays("units")
    first, second = (
        tf.Variable(given[f"in/adamw_{name}0"], name=f"{name}/{part}")
        for name, part in (("p", "kernel"), ("q", "bias"))
    )
    optimizer = TransformersAdamW(0.001, 0.1)
    optimizer.build([first, second])
    optimizer.multiply_rates([first], 20.0)
    steps = zip(given["in/adamw_grad_p"], given["in/adamw_grad_q"])
    for number, gradients in enumerate(steps):
        optimizer.apply_gradients(zip(gradients, [first, second]))
        np.testing.assert_allclose(first, given["out/adamw_p"][number], rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(second, given["out/adamw_q"][number], rtol=1e-5, atol=1e-7)


def batch_of_step(step, recorded):
    """The batch with the draws of a step."""
    values = dict(batch())
    if f"step{step}/itm_replace_uniform" in recorded:
        draws = recorded[f"step{step}/itm_replace_uniform"]
        values["mismatch_draws"] = tf.constant(draws, tf.float32)
    if f"step{step}/icc_text_idx" in recorded:
        hidden = np.zeros(values["hidden_places"].shape, np.int32)
        hidden[:, recorded[f"step{step}/icc_text_idx"]] = 1
        hidden[:, recorded[f"step{step}/icc_patch_idx"] + settings()["T"]] = 1
        values["hidden_places"] = tf.constant(hidden)
    return values


def test_recorded_steps():
    recorded, run = arrays("train_steps"), settings()["train_steps"]
    model = model_of(trained_image_parts="none")
    rate = MultiStep(run["base_lr"], run["warmup_iterations"], tuple(run["lr_steps"]))
    optimizer = TransformersAdamW(rate, run["weight_decay"], epsilon=run["eps"])
    variables = model.trainable_variables
    optimizer.build(variables)
    optimizer.multiply_rates(model.fast_variables, run["lr_multiplier"])
    names = original.variable_names(model)
    for step, task in enumerate(recorded["sampled_tasks"]):
        with tf.GradientTape() as tape:
            losses = model.losses(batch_of_step(step, recorded), str(task), training=True)
            loss = losses[f"{task}_loss"].mean()
        gradients = tape.gradient(
            loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        optimizer.apply_gradients(zip(gradients, variables))
        assert float(loss) == pytest.approx(recorded["loss"][step], rel=LOSS), (step, task)
        scope = f"step{step}/"
        tracked = [key for key in recorded if key.startswith(f"{scope}model.")]
        assert len(tracked) == 12
        for key in tracked:
            entry = names[key.removeprefix(scope)]
            ours = entry.to_original(entry.variable.numpy())
            np.testing.assert_allclose(ours, recorded[key], atol=VALUE, err_msg=key)
    for name, norm in zip(recorded["final_param_names"], recorded["final_param_l2"]):
        if str(name) in names and not name.endswith("key.bias"):  # without gradient, but rounding
            ours = np.linalg.norm(names[str(name)].variable.numpy())
            assert ours == pytest.approx(norm, rel=1e-3), name
