"""The base model (PVT-tiny, 256 pixels, 128 words) against slices of the release's outputs."""

import zlib

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf import losses
from kaleido_tf.models.mvlt import original
from kaleido_tf.models.mvlt.config import MvltConfig
from kaleido_tf.models.mvlt.layers import STAGES
from kaleido_tf.models.mvlt.model import Mvlt
from tests.golden_files import mvlt, read_json
from tests.mvlt_golden import MASKED_PIXEL, arrays, channels_first, channels_last, heads_on, recipe

TOLERANCE = 1e-5
"""Of the largest number of a whole array; of a loss, relative."""
STEPS = {1: 16, 2: 8, 3: 4, 4: 2}
"""Every so many rows and columns of a stage's map are in the file."""
PASSES = ("clean", "masked", "eval")


@pytest.fixture(scope="module")
def meta():
    return read_json(mvlt() / "full_meta.json")


@pytest.fixture(scope="module")
def model(meta):
    """With the recipe's weights, each of which is the release's by its checksum."""
    model = Mvlt(MvltConfig())
    heads_on(model, model.encoder.output)  # makes all weights
    for key, entry in original.variable_names(model).items():
        array = recipe(key, entry.original_shape, meta["weight_seed"])
        assert zlib.crc32(array.tobytes()) == meta["weight_crc32"][key], key
        entry.variable.assign(entry.to_ours(array))
    return model


@pytest.fixture(scope="module")
def inputs(meta):
    """As tests/golden/README.md draws them."""
    random = np.random.RandomState(meta["input_seed"])
    images = random.uniform(0, 1, (2, 3, 256, 256)).astype(np.float32)
    cells = random.uniform(0, 1, (2, 1, 16, 16)) < 0.5
    mask = cells.repeat(16, axis=2).repeat(16, axis=3)
    whole = random.randint(1000, 30522, (2, 128))
    for row, length in enumerate((40, 128)):
        whole[row, 0], whole[row, length - 1], whole[row, length:] = 101, 102, 0
    words, labels = whole.copy(), np.full_like(whole, -1)
    for row, length in enumerate((40, 128)):
        places = np.arange(3, length - 1, 7)
        words[row, places], labels[row, places] = 103, whole[row, places]
    seen = np.where(mask, np.float32(MASKED_PIXEL), images)
    return {"images": images, "seen": seen, "whole": whole, "words": words, "labels": labels}


@pytest.mark.parametrize("given", PASSES)
def test_outputs_and_losses(model, inputs, meta, given):
    images = channels_last(inputs["seen" if given == "masked" else "images"])
    ids = inputs["whole" if given == "eval" else "words"].astype(np.int32)
    encoded = model.encoder({"images": images, "input_ids": ids}, training=False)
    logits = {name: np.asarray(value) for name, value in heads_on(model, encoded).items()}
    expected = arrays("full_outputs")
    words = logits["masked_lm"].reshape(2, 128, -1)
    image = channels_first(logits["image"])
    ours = {
        "mlm_logits": (words, words[:, ::16, ::61]),
        "itm_logits": (logits["next_sentence"], logits["next_sentence"]),
        "t2i_logits": (image, image[:, :, ::8, ::8]),
        "sup_cls_logits": (logits["category"], logits["category"]),
        "sub_cls_logits": (logits["subcategory"], logits["subcategory"]),
    }
    for stage in STAGES:
        maps = channels_first(encoded["image_maps"][stage - 1])
        texts = encoded["text_states"][stage - 1].numpy()
        step = STEPS[stage]
        ours[f"img_feat{stage}"] = maps, maps[:, :, ::step, ::step]
        ours[f"text_feat{stage}"] = texts, texts[:, ::16]
    stored = {key.split("/")[1] for key in expected if key.startswith(f"{given}/")}
    compared = stored & set(ours)
    assert stored - compared == {"mlm_logsumexp", "mlm_argmax"}
    for name in compared:
        whole, part = ours[name]
        theirs = expected[f"{given}/{name}"]
        bound = TOLERANCE * np.abs(whole).max()
        assert np.abs(part.reshape(theirs.shape) - theirs).max() <= bound, name
        if f"{given}/{name}/stats" in expected:
            values = whole.astype(np.float64)
            length = np.linalg.norm(values)
            found = [values.mean(), values.std(), length, values.min(), values.max()]
            limits = [bound, bound, TOLERANCE * length, bound, bound]
            differences = np.abs(np.array(found) - expected[f"{given}/{name}/stats"])
            assert (differences <= limits).all(), name
    sums = tf.reduce_logsumexp(words.astype(np.float64), axis=-1)
    np.testing.assert_allclose(sums, expected[f"{given}/mlm_logsumexp"], rtol=TOLERANCE)
    np.testing.assert_array_equal(words.argmax(axis=-1), expected[f"{given}/mlm_argmax"])
    meant = meta["losses"]
    found = _losses(words, logits, image, inputs)
    for name, value in {**meant.get(given, {}), **meant.get(f"{given}/cls", {})}.items():
        if name in found:
            assert found[name] == pytest.approx(value, rel=TOLERANCE), name


def _losses(words, logits, image, inputs) -> dict[str, float]:
    known = inputs["labels"] >= 0
    classified = {
        "loss_mlm": (words[known], inputs["labels"][known]),
        "loss_itm": (logits["next_sentence"], np.array([1, 0])),
        "loss_sup_cls": (logits["category"], np.array([7, 31])),
        "loss_sub_cls": (logits["subcategory"], np.array([17, 121])),
    }
    found = {name: losses.classification_loss(*pair).mean() for name, pair in classified.items()}
    images = channels_last(image), channels_last(inputs["images"])
    found["loss_t2i_unweighted"] = losses.image_reconstruction_loss(*images).mean()
    return {name: float(value) for name, value in found.items()}
