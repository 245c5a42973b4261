import numpy as np
import pytest

from kaleido_tf.command_line.examples import pairs_of_rows
from kaleido_tf.compat.checkpoints.weights import find_weights, load_weights
from kaleido_tf.data.pipeline import text_inputs
from kaleido_tf.data.record_table import read_images, read_record_table
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.candidates import Pairs
from kaleido_tf.evaluation.scoring import candidate_batches, score_batches
from kaleido_tf.families import build_model
from kaleido_tf.files.input_files import find_files
from kaleido_tf.models.config import BertConfig
from kaleido_tf.models.fashion_bert.config import FashionBertConfig
from kaleido_tf.objectives import comparison_start
from kaleido_tf.objectives.compared_products import compared_products
from kaleido_tf.objectives.comparison_start import train_comparison, word_weights
from kaleido_tf.records.record import GRIDS
from kaleido_tf.text import Vocabulary
from kaleido_tf.training.run_config import DeviceConfig
from kaleido_tf.training.strategy import make_strategy
from tests import runs, small_records
from tests.tiny_models import tiny_config

PRODUCTS, LENGTH = 29, 9
SIZES = {
    "comparison_size": 8,
    "comparison_tower_size": 10,
    "comparison_members": 2,
    "comparison_bank": 20,
    "comparison_neighbours": 3,
}
CONFIG = tiny_config(
    vocab_size=30522,
    patch_feature_size=small_records.FEATURE_SIZE,
    patch_feature_norm="standard",
    text_seq_len=LENGTH,
    **SIZES,
)


def read(folder):
    files = find_files(str(folder))
    return read_record_table(files, Vocabulary(), LENGTH, small_records.FEATURE_SIZE)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return read(small_records.write(tmp_path_factory.mktemp("records"), PRODUCTS, per_shard=7))


def trained(table, config: BertConfig = CONFIG, replicas=1, epochs=60):
    strategy = make_strategy(DeviceConfig(worker_gpus=0, cpu_replicas=replicas))
    with strategy.scope():
        model = build_model(config, (), LENGTH)
    _, features, _ = read_images(table, np.arange(len(table)))
    if "feature_normalisation" in model.named_layers:
        _ = model.matcher
        model.named_layers["feature_normalisation"].measure(features)
    draw = np.random.default_rng(5)
    comparison = model.named_layers["comparison"]
    for variable in comparison.trainable_variables:
        variable.assign(draw.normal(0, 0.3, variable.shape))
    train_comparison(model, table, strategy, epochs, seed=6)
    return model


@pytest.fixture(scope="module")
def model(table):
    return trained(table)


def scores_of(model, table, texts, images):
    """[n, 2] logits by the way of candidate lists."""
    labels = np.zeros(len(texts), bool)
    pairs = Pairs(np.array(texts), np.array(images), labels, np.zeros(len(texts)))
    batches = candidate_batches(model, table, pairs, 8)
    return score_batches(model.matcher, make_strategy(DeviceConfig(worker_gpus=0)), batches, 8)


def test_it_finds_the_own_image_far_above_chance(model, table):
    everything = np.arange(PRODUCTS)
    texts, images = np.repeat(everything, PRODUCTS), np.tile(everything, PRODUCTS)
    scores = scores_of(model, table, texts, images)[:, 1].reshape(PRODUCTS, PRODUCTS)
    above = (scores > np.diag(scores)[:, None]).sum(axis=1)
    assert np.mean(above < 3) > 0.5  # chance 0.1
    assert model.has_compared
    first, second = (m.spreads.numpy() for m in model.named_layers["comparison"].members)
    assert (first != 1).all() and (second != 1).all() and (first != second).all()


def test_the_hubness_of_both_sides_is_taken_from_the_score(model, table):
    texts, images = np.array([3, 3, 11, 0]), np.array([3, 8, 8, 28])
    scores = scores_of(model, table, texts, images)
    feed = text_inputs(table.sequences[table.texts[texts]], table.lengths[table.texts[texts]])
    of_texts = model.text_hubness(feed["input_ids"], feed["input_mask"])
    _, features, boxes = read_images(table, np.arange(PRODUCTS))
    shown = model.image_inputs(features[images].astype(np.float32), boxes[images])
    of_images = model.image_hubness(shown)
    bank = model.named_layers["comparison"].bank_size
    assert int(bank.numpy()) == SIZES["comparison_bank"]
    bank.assign(0)
    try:
        plain = scores_of(model, table, texts, images)
    finally:
        bank.assign(SIZES["comparison_bank"])
    np.testing.assert_allclose((plain - scores)[:, 1], of_texts + of_images, atol=1e-4)
    np.testing.assert_array_equal(plain[:, 0], scores[:, 0])


def test_the_bank_holds_each_photo_once(tmp_path):
    table = read(small_records.write(tmp_path, 22, change=small_records.viewed))
    once = trained(table, epochs=1).named_layers["comparison"]
    assert int(once.bank_size.numpy()) == 11
    plain = table.sequences[table.texts[::2]]
    np.testing.assert_array_equal(once.bank_ids[:11], plain[:, : once.bank_ids.shape[1]])


def test_a_pair_alone_scores_as_among_others(model, table):
    scores = scores_of(model, table, [3, 3, 11, 0], [3, 8, 8, 28])
    np.testing.assert_allclose(scores_of(model, table, [0], [28])[0], scores[3], atol=1e-4)


def test_training_does_not_see_it(model):
    inside = {v.ref() for v in model.named_layers["comparison"].weights}
    assert not inside & {v.ref() for v in model.trainable_variables}
    assert "comparison_hubness" not in model.pretrainer.input


def test_two_replicas_find_what_one_finds(table):
    one, two = (trained(table, replicas=count, epochs=3) for count in (1, 2))
    for a, b in zip(one.named_layers["comparison"].weights, two.named_layers["comparison"].weights):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-4, err_msg=a.name)


def test_patches_of_one_size_are_compared_too(tmp_path):
    layout = GRIDS[4]
    config = FashionBertConfig(
        vocab_size=30522,
        hidden_size=12,
        num_hidden_layers=1,
        num_attention_heads=3,
        intermediate_size=20,
        max_position_embeddings=11,
        max_patch_position_embeddings=16,
        text_seq_len=LENGTH,
        patch_feature_size=small_records.FEATURE_SIZE,
        **SIZES,
    )
    table = read(small_records.write(tmp_path / "grid", 7, layout=layout))
    model = trained(table, config, epochs=2)
    assert np.isfinite(scores_of(model, table, [1, 2], [1, 6])).all()


def test_words_of_two_texts_have_weight(model, table):
    weights = word_weights(compared_products(model, table), 30522)
    vocabulary = Vocabulary()
    number = {name: vocabulary.text_of([name]) for name in np.flatnonzero(weights)}
    assert {"red", "dress", "buttons", "a"} <= set(number.values())
    assert weights[0] == 0 and weights[vocabulary.cls_id] == 0  # padding, [CLS]
    common, rare = (next(i for i, w in number.items() if w == word) for word in ("a", "red"))
    assert weights[common] == pytest.approx(comparison_start.LEAST_WEIGHT)
    assert weights[rare] == pytest.approx(np.log(PRODUCTS / 4) / 3, rel=0.2)


def test_one_text_is_too_few(tmp_path):
    folder = small_records.write(
        tmp_path, 3, change=lambda number: {"token_ids": [2417, 4377], "text": "red dress"}
    )
    with pytest.raises(InputError, match="at least 2 different texts. Received: 1"):
        train_comparison(None, read(folder), None, 2, 1)


def test_a_run_trains_it_and_its_checkpoint_keeps_it(tmp_path, capsys):
    small_records.write(tmp_path / "train", 9)
    given = runs.settings(
        tmp_path, tmp_path / "run", tasks=(), num_epochs=0.5, comparison_epochs=2, log_steps=1
    )
    model, _ = runs.pretrain(given, CONFIG, evaluates=False)
    assert (
        capsys.readouterr().out.count("comparison of words and patches, member 2: epoch 2/2") == 1
    )
    kept = build_model(CONFIG, (), LENGTH)
    _ = kept.matcher
    load_weights(kept, find_weights(tmp_path / "run"))
    assert kept.has_compared
    for ours, loaded in zip(
        model.named_layers["comparison"].weights, kept.named_layers["comparison"].weights
    ):
        np.testing.assert_array_equal(ours.numpy(), loaded.numpy())


def test_rows_are_refused_before_they_are_read():
    with pytest.raises(InputError, match="`comparison_size` scores pairs of records"):
        pairs_of_rows("gone.csv", "img2txt", CONFIG, (), None)


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"comparison_size": -1},
            "`comparison_size` must be at least 0 and at most .* Received: -1",
        ),
        (
            {"comparison_members": 0},
            "`comparison_members` must be at least 1 and at most .* Received: 0",
        ),
        ({"comparison_bank": 0}, "`comparison_bank` must be at least 1 and at most .* Received: 0"),
    ],
)
def test_sizes_out_of_range_are_named(changes, message):
    with pytest.raises(InputError, match=message):
        tiny_config(**changes)
