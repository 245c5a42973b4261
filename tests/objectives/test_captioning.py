"""What a captioner learns from: which places are predicted, and from what."""

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.captioning.caption_examples import caption_targets, next_pieces
from kaleido_tf.data.pipeline import text_inputs
from kaleido_tf.losses import masked_lm_loss
from kaleido_tf.objectives.captioning import Captioner
from kaleido_tf.text import Vocabulary
from tests.tiny_models import tiny_config

LENGTH, PATCHES = 9, 55


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory):
    path = tmp_path_factory.mktemp("words") / "vocab.txt"
    words = [f"w{number}" for number in range(18)]
    path.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]))
    return Vocabulary(path)


def targets(vocabulary, seed, share=0.5, with_end=True, used=7):
    ids = tf.constant([2, 11, 12, 13, 14, 15, 3, 0, 0][: used - 1] + [3] + [0] * (LENGTH - used))
    text = text_inputs(ids[:LENGTH], tf.constant(used))
    found = caption_targets(text, tf.constant([seed, 4], tf.int64), share, with_end, vocabulary)
    return ids.numpy(), {name: value.numpy() for name, value in found.items()}


def test_the_end_is_always_predicted_and_the_rest_at_random(vocabulary):
    chosen, kept = [], []
    for seed in range(60):
        ids, found = targets(vocabulary, seed)
        count = int(found["caption_weights"].sum())
        places = found["caption_positions"][:count]
        assert places[-1] == 6 and (np.diff(places) > 0).all() and places[0] > 0
        assert (found["caption_positions"][count:] == 0).all()
        np.testing.assert_array_equal(found["caption_ids"][:count], ids[places])
        assert found["input_ids"][6] == vocabulary.mask_id
        others = np.setdiff1d(np.arange(LENGTH), places)
        np.testing.assert_array_equal(found["input_ids"][others], ids[others])
        chosen.append(count - 1)
        kept += (found["input_ids"][places[:-1]] != vocabulary.mask_id).tolist()
    assert 0.4 < np.mean(chosen) / 5 < 0.6 and min(chosen) >= 1
    assert 0.1 < np.mean(kept) < 0.3  # a random piece, or the own one


def test_the_paper_s_way_never_predicts_the_end(vocabulary):
    for seed in range(20):
        _, found = targets(vocabulary, seed, share=1.0, with_end=False)
        assert found["caption_weights"].sum() == 5 and found["input_ids"][6] == 3


def test_a_text_of_one_word_has_something_to_predict(vocabulary):
    _, found = targets(vocabulary, 1, share=0.01, with_end=False, used=3)
    assert found["caption_positions"].tolist()[:1] == [1] and found["caption_weights"].sum() == 1


def test_each_place_predicts_the_next_piece_to_the_end():
    ids = tf.constant([2, 11, 12, 13, 3, 0, 0, 0, 0])
    found = next_pieces(text_inputs(ids, tf.constant(5)))
    assert found["caption_weights"].numpy().tolist() == [1, 1, 1, 1, 0, 0, 0, 0, 0]
    assert found["caption_positions"].numpy().tolist() == [0, 1, 2, 3, 0, 0, 0, 0, 0]
    assert found["caption_ids"].numpy().tolist() == [11, 12, 13, 3, 0, 0, 0, 0, 0]
    np.testing.assert_array_equal(found["input_ids"], ids)  # nothing is hidden


def batch_of(vocabulary, rows=3, seed=0):
    generator = np.random.default_rng(seed)
    examples = [targets(vocabulary, seed + row, used=5 + row)[1] for row in range(rows)]
    batch = {name: np.stack([each[name] for each in examples]) for name in examples[0]}
    corners = np.sort(generator.integers(0, 40, [rows, PATCHES, 2, 2]), -1).reshape(rows, -1, 4)
    boxes = np.concatenate([corners, generator.integers(1, 900, [rows, PATCHES, 1])], -1)
    batch["patch_boxes"] = boxes.astype(np.int32)
    batch["patch_features"] = generator.normal(size=[rows, PATCHES, 5]).astype(np.float32)
    return {name: tf.constant(value) for name, value in batch.items()}


def test_loss_is_that_of_all_slots(vocabulary):
    tf.keras.utils.set_random_seed(2)
    captioner = Captioner(tiny_config(), LENGTH, causal=True)
    batch = batch_of(vocabulary)
    backbone = captioner.backbone
    image = backbone.image_inputs(batch["patch_features"], batch["patch_boxes"])
    feed = {name: {**batch, **image}[name] for name in backbone.causal_encoder.input}
    hidden = backbone.causal_encoder(feed)[:, :LENGTH]
    logits = backbone.named_layers["masked_lm"](hidden, batch["caption_positions"])
    expected = masked_lm_loss(logits, batch["caption_ids"], batch["caption_weights"])
    found = captioner.losses(batch)["caption_loss"]
    np.testing.assert_allclose(found.mean(), expected.mean(), rtol=1e-6)
    smooth = Captioner(tiny_config(), LENGTH, causal=True, smoothing=0.2)
    for ours, theirs in zip(smooth.trainable_variables, captioner.trainable_variables):
        ours.assign(theirs)
    evenly = -tf.reduce_mean(tf.nn.log_softmax(logits), axis=-1) * batch["caption_weights"]
    mean = tf.reduce_sum(evenly) / expected.weight
    trained = smooth.losses(batch, training=True)["caption_loss"].mean()
    np.testing.assert_allclose(trained, 0.8 * expected.mean() + 0.2 * mean, rtol=1e-5)
    np.testing.assert_allclose(smooth.losses(batch)["caption_loss"].mean(), expected.mean())


@pytest.mark.parametrize("causal", [True, False])
def test_what_stands_later_has_no_say_where_attention_is_causal(vocabulary, causal):
    tf.keras.utils.set_random_seed(3)
    captioner = Captioner(tiny_config(), LENGTH, causal)
    batch = batch_of(vocabulary)
    ids = batch["input_ids"].numpy()
    ids[:, 4] = 20
    other = {**batch, "input_ids": tf.constant(ids)}

    def hidden(batch):
        backbone = captioner.backbone
        image = backbone.image_inputs(batch["patch_features"], batch["patch_boxes"])
        model = backbone.causal_encoder if causal else backbone.encoder
        found = model({name: {**batch, **image}[name] for name in model.input})
        return (found if causal else found["sequence_output"]).numpy()

    change = np.abs(hidden(batch) - hidden(other)).max(axis=(0, 2))
    assert change[4] > 0
    assert (change[:4] == 0).all() == causal
    assert (change[LENGTH:] == 0).all() == causal  # patches see no text
