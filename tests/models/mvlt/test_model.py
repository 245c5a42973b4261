"""Golden parity of MVLT with the release, within the tolerances of tests/golden/README.md."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf import losses
from kaleido_tf.errors import InputError
from kaleido_tf.models.mvlt import original
from kaleido_tf.models.mvlt.layers import STAGES
from kaleido_tf.models.mvlt.model import Mvlt
from tests.golden_files import mvlt, read_json
from tests.mvlt_golden import (
    arrays,
    batch_of,
    channels_first,
    config,
    encoder_feed,
    heads_on,
    model_of,
    pretraining_feed,
    settings,
    shared_model,
)

TOLERANCE = 1e-5
"""Of the largest number of an array."""
GRADIENT_TOLERANCE = 3e-5
RUNS = tuple(settings()["runs"])
TRAINED_RUN = RUNS[0]
"""The run that has gradients and what happens in training."""
PASSES = sorted(
    {tuple(key.split("/")[:2]) for key in arrays("reduced_outputs") if "pos_embed" not in key}
)
LOGITS = {
    "masked_lm": "mlm_logits",
    "next_sentence": "itm_logits",
    "image": "t2i_logits",
    "category": "sup_cls_logits",
    "subcategory": "sub_cls_logits",
}
LOSSES = {
    "masked_lm_loss": "loss_mlm",
    "next_sentence_loss": "loss_itm",
    "image_loss": "loss_t2i_unweighted",
}


def assert_near(ours, expected, what="", tolerance=TOLERANCE):
    ours = np.asarray(ours).reshape(expected.shape)
    assert np.abs(ours - expected).max() <= tolerance * np.abs(expected).max(), what


@functools.cache
def results_of(run, given):
    """What the stages leave and what the heads make of it."""
    model = shared_model(run)
    encoded = model.encoder(encoder_feed(batch_of(run, given)))
    return encoded, heads_on(model, encoded)


def expected_of(run, given):
    prefix = f"{run}/{given}/"
    return {
        key.removeprefix(prefix): array
        for key, array in arrays("reduced_outputs").items()
        if key.startswith(prefix)
    }


def losses_in_file(name):
    return read_json(mvlt() / "reduced_losses.json")[name]


@pytest.mark.parametrize("run, given", PASSES)
def test_what_every_stage_leaves(run, given):
    expected, (encoded, _) = expected_of(run, given), results_of(run, given)
    compared = 0
    for stage in STAGES:
        ours = {
            f"img_feat{stage}": channels_first(encoded["image_maps"][stage - 1]),
            f"text_feat{stage}": encoded["text_states"][stage - 1],
        }
        for name in set(ours) & set(expected):
            assert_near(ours[name], expected[name], name)
            compared += 1
    assert compared >= 2


@pytest.mark.parametrize("run, given", PASSES)
def test_logits(run, given):
    expected, (_, logits) = expected_of(run, given), results_of(run, given)
    compared = [name for name, key in LOGITS.items() if key in expected]
    assert "next_sentence" in compared and len(compared) >= 3
    for name in compared:
        assert_near(channels_first(logits[name]), expected[LOGITS[name]], name)
    if "itm_prob" in expected:
        assert_near(tf.nn.softmax(logits["next_sentence"]), expected["itm_prob"])


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("given", ["clean", "eval"])
def test_losses_of_classes(run, given):
    (_, logits), batch = results_of(run, given), batch_of(run, given)
    for name, key in (("category", "loss_sup_cls"), ("subcategory", "loss_sub_cls")):
        loss = losses.classification_loss(logits[name], batch[f"{name}_label"]).mean()
        expected = losses_in_file(f"{run}/{given}/cls")[key]
        assert float(loss) == pytest.approx(expected, rel=TOLERANCE), name


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("given", ["clean", "masked"])
def test_losses_of_pretraining(run, given):
    (_, logits), batch = results_of(run, given), batch_of(run, given)
    ours = {
        "masked_lm_loss": losses.masked_lm_loss(
            logits["masked_lm"], batch["masked_lm_ids"], batch["masked_lm_weights"]
        ).mean(),
        "next_sentence_loss": losses.classification_loss(
            logits["next_sentence"], batch["next_sentence_label"]
        ).mean(),
        "image_loss": losses.image_reconstruction_loss(
            logits["image"], batch["image_targets"]
        ).mean(),
    }
    expected = losses_in_file(f"{run}/{given}")
    for name, key in LOSSES.items():
        assert float(ours[name]) == pytest.approx(expected[key], rel=TOLERANCE), name
    total, _ = shared_model(run).total(ours)
    assert float(total) == pytest.approx(expected["loss_total"], rel=TOLERANCE)


@pytest.mark.parametrize("run", RUNS)
def test_positions_are_resized_as_in_the_release(run):
    height, width = settings()["runs"][run]
    for stage in STAGES:
        grid = height // 2 ** (stage + 1), width // 2 ** (stage + 1)
        table = shared_model(run).named_layers[f"stage_{stage}_embedding"].positions_for(grid)
        assert_near(table, arrays("reduced_outputs")[f"{run}/pos_embed_used{stage}"][0])


def test_layer_norms_have_the_releases_epsilons():
    """Numbers so small that an epsilon decides."""
    probe, heads = arrays("eps_probe"), ("t2i_head.", "mlm_head.", "itm_head.")

    def factor(key, shape):
        small = (
            len(shape) == 1
            or key.startswith(("pos_embed", "text_pos_embed", "text_embeddings."))
            or key.endswith(".sr.weight")
            or (key.startswith("patch_embed") and key.endswith(".proj.weight"))
        )
        return 0.02 if small and not key.startswith(heads) else 1.0

    model = model_of("sq64", factor)
    images = np.ascontiguousarray(probe["images"].transpose(0, 2, 3, 1))
    encoded = model.encoder({"images": images, "input_ids": probe["input_ids"].astype(np.int32)})
    for stage in STAGES:
        image = channels_first(encoded["image_maps"][stage - 1])
        assert_near(image, probe[f"img_feat{stage}"], stage)
        assert_near(encoded["text_states"][stage - 1], probe[f"text_feat{stage}"], stage)
    assert_near(heads_on(model, encoded)["next_sentence"], probe["itm_logits"])


@pytest.mark.parametrize("given", ["clean", "masked"])
def test_every_gradient(given):
    model = shared_model(TRAINED_RUN)
    batch = pretraining_feed(batch_of(TRAINED_RUN, given))
    names = {
        key: entry
        for key, entry in original.variable_names(model).items()
        if entry.variable.trainable and not key.startswith(("sup_cls", "sub_cls"))
    }
    with tf.GradientTape() as tape:
        # `losses` would judge words and matching on whole photos, as it is no training
        sums = model.pretrainer(batch, training=False)["losses"]
        total, _ = model.total({name: sums[name].mean() for name in model.loss_names})
    assert float(total) == pytest.approx(
        losses_in_file(f"{TRAINED_RUN}/{given}")["loss_total"], rel=TOLERANCE
    )
    gradients = tape.gradient(total, [entry.variable for entry in names.values()])
    expected, compared = arrays("reduced_train"), 0
    for (key, entry), gradient in zip(names.items(), gradients):
        ours = entry.to_original(tf.convert_to_tensor(gradient).numpy())
        norm = expected[f"eval_grad_norm/{given}/{key}"]
        assert np.linalg.norm(ours) == pytest.approx(norm, rel=GRADIENT_TOLERANCE), key
        for part, stored in (("", ours), ("[:64]", ours[:64])):
            if f"eval_grad/{given}/{key}{part}" in expected:
                assert_near(
                    stored, expected[f"eval_grad/{given}/{key}{part}"], key, GRADIENT_TOLERANCE
                )
                compared += 1
    prefixes = [f"eval_grad/{given}/", f"eval_grad_norm/{given}/"]
    counts = [sum(key.startswith(prefix) for key in expected) for prefix in prefixes]
    assert counts == [compared, len(names)]
    assert len(names) == len(model.trainable_variables)


def test_functional_models_agree():
    model, batch = shared_model(TRAINED_RUN), batch_of(TRAINED_RUN, "clean")
    _, logits = results_of(TRAINED_RUN, "clean")
    outputs = model.pretrainer(pretraining_feed(batch))["logits"]
    outputs["matcher"] = model.matcher(encoder_feed(batch))
    outputs |= model.classifier(encoder_feed(batch))
    logits = {**logits, "matcher": tf.nn.log_softmax(logits["next_sentence"])}
    used = batch["masked_lm_weights"] > 0
    assert 0 < used.sum() < used.size  # of the empty slots no words are predicted
    logits["masked_lm"] = tf.boolean_mask(logits["masked_lm"], used)[None]
    assert set(outputs) == set(logits)
    for name, ours in outputs.items():
        np.testing.assert_allclose(ours, logits[name], rtol=1e-6, atol=1e-6, err_msg=name)


def test_settings_that_no_model_can_have_are_refused():
    with pytest.raises(InputError, match="The tasks must be of image .*Received: jigsaw"):
        Mvlt(config(), ("jigsaw",))
    with pytest.raises(InputError, match="`text_seq_len`=16, .*Received: 12"):
        Mvlt(config(), text_length=12)
    with pytest.raises(InputError, match="`image_size` must be a multiple of 32 .*Received: 80"):
        Mvlt(config(), image_size=(64, 80))


def test_without_its_task_no_image_is_reconstructed():
    model = Mvlt(config(depths=(1, 1, 1, 1)), tasks=(), loss_weights={"next_sentence": 3.0})
    assert model.loss_names == ("masked_lm_loss", "next_sentence_loss")
    assert "image_targets" not in model.pretraining_inputs()
    total, _ = model.total({"masked_lm_loss": 2.0, "next_sentence_loss": 5.0})
    assert total == 17.0
