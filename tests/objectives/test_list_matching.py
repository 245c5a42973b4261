import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from kaleido_tf.data.record_table import read_evenly, read_record_table
from kaleido_tf.errors import InputError
from kaleido_tf.families import build_model
from kaleido_tf.files.input_files import find_files
from kaleido_tf.objectives.compared_products import compared_products
from kaleido_tf.objectives.comparison_folds import (
    FOLDS,
    assign_folds,
    check_texts_for_folds,
    compare_by_folds,
    look_at,
    read_folds,
    write_folds,
)
from kaleido_tf.objectives.comparison_start import fit_comparison
from kaleido_tf.objectives.list_config import ListConfig
from kaleido_tf.objectives.list_examples import ListExamples
from kaleido_tf.objectives.list_matching import ListMatching, fitted_score_weight
from kaleido_tf.text import Vocabulary
from kaleido_tf.training.run_config import DeviceConfig
from kaleido_tf.training.strategy import make_strategy
from tests import small_records
from tests.batch_parts import assert_parts_are_the_whole
from tests.tiny_models import tiny_config

PRODUCTS, LENGTH, CANDIDATES = 50, 9, 5
CONFIG = tiny_config(
    vocab_size=30522,
    patch_feature_size=small_records.FEATURE_SIZE,
    patch_feature_norm="standard",
    text_seq_len=LENGTH,
    comparison_size=8,
    comparison_tower_size=10,
    comparison_members=2,
    comparison_bank=20,
    comparison_neighbours=3,
    reads_comparison=True,
)
SETTINGS = ListConfig(candidates=CANDIDATES)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = small_records.write(tmp_path_factory.mktemp("records"), PRODUCTS, per_shard=7)
    files = find_files(str(folder))
    return read_record_table(files, Vocabulary(), LENGTH, small_records.FEATURE_SIZE)


@pytest.fixture(scope="module")
def folds(table):
    strategy = make_strategy(DeviceConfig(worker_gpus=0))
    tf_keras.utils.set_random_seed(7)
    with strategy.scope():
        model = build_model(CONFIG, (), LENGTH)
    _ = model.matcher
    model.prepare(_Features(table))
    return compare_by_folds(model, table, strategy, 60, seed=4)


class _Features:
    """The examples that a new model's normalisation is measured on."""

    def __init__(self, table):
        self._table = table

    def sample_features(self, count):
        return read_evenly(self._table, count)[1].astype(np.float32)


@pytest.fixture(scope="module")
def examples(table, folds, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    write_folds(folder, folds)
    return ListExamples(table, folder, SETTINGS, seed=3)


def test_folds_hold_every_text_once_and_each_group():
    texts = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0, 3])
    groups = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0])
    folds = assign_folds(texts, groups, seed=1)
    assert folds[0] == folds[12] and folds[3] == folds[13]
    assert sorted(set(folds)) == list(range(FOLDS))
    for group in (0, 1):
        counts = np.bincount(folds[:12][groups[:12] == group], minlength=FOLDS)
        assert counts.max() - counts.min() <= 1
    assert (folds == assign_folds(texts, groups, seed=1)).all()
    assert (folds != assign_folds(texts, groups, seed=2)).any()


def test_too_few_texts_are_refused():
    check_texts_for_folds(np.arange(8))
    with pytest.raises(InputError, match="at least 8 different texts. Received: 7"):
        check_texts_for_folds(np.arange(7))


def test_a_fold_is_compared_by_what_was_trained_on_the_others(table, folds):
    numbers = np.concatenate([fold.numbers for fold in folds])
    assert sorted(numbers) == list(range(PRODUCTS))
    for fold in folds:
        texts = [set(table.sequences[table.texts[n]]) for n in fold.numbers]
        unseen = set.union(*texts) - set.union(
            *(set(table.sequences[table.texts[n]]) for n in numbers if n not in fold.numbers)
        )
        assert (fold.weights[list(unseen)] == 0).all()
    first = np.mean(
        [np.mean(fold.scores.argmax(axis=1) == np.arange(len(fold.numbers))) for fold in folds]
    )
    assert first > 3 * FOLDS / PRODUCTS  # thrice chance, on products that were not seen


def test_folds_are_read_as_they_were_written(folds, tmp_path):
    write_folds(tmp_path, folds)
    for there, fold in zip(read_folds(tmp_path), folds):
        for field in dataclasses.fields(fold):
            assert (getattr(there, field.name) == getattr(fold, field.name)).all()
    with pytest.raises(InputError, match="folds/comparison.safetensors. Not found"):
        read_folds(tmp_path / "none")


def test_a_list_holds_the_right_one_first_and_no_equal_text(table, examples, folds):
    seen = set()
    for position in range(len(examples)):
        drawn = examples.list_at(position)
        fold, place, of_texts = examples._query(position)
        seen.add((int(fold.numbers[place]), of_texts))
        ids = drawn["input_ids"]
        features = drawn["patch_features"]
        assert len(ids) == CANDIDATES
        own = table.sequences[table.texts[fold.numbers[place]]]
        assert (ids[0] == own).all()
        if of_texts:
            assert (features == features[:1]).all()
            assert not any((other == own).all() for other in ids[1:])
        else:
            assert (ids == own).all()
            assert (drawn["input_mask"] == drawn["input_mask"][0]).all()
        assert drawn["comparison_score"][0] == fold.scores[place, place]
    assert seen == {(n, way) for n in range(PRODUCTS) for way in (True, False)}


def test_lists_depend_on_the_position_alone(examples):
    whole = examples.training_batches(3).take(3)
    later = next(iter(examples.training_batches(3, start=6).take(1)))
    for name, value in list(whole)[2].items():
        assert (value.numpy() == later[name].numpy()).all()
    assert (later["input_mask"].numpy()[..., 0] == 1).all()


def test_a_fold_holds_what_the_comparison_layer_gives(table):
    model = build_model(CONFIG, (), LENGTH)
    _ = model.matcher
    model.prepare(_Features(table))
    products, layer = compared_products(model, table), model.make_comparison(members=1)
    strategy, rows = make_strategy(DeviceConfig(worker_gpus=0)), np.array([2, 11, 23, 4])
    fit_comparison(layer, products.some(np.arange(12, 50)), strategy, 20, 4)
    fold = look_at(layer, products.some(rows))
    ids, mask = products.text(rows)
    hubness = layer.text_hubness(ids, mask) + layer.image_hubness(products.features(rows))
    score, fits = layer(ids, mask, products.features(rows), hubness)
    assert np.diag(fold.scores) == pytest.approx(score.numpy(), rel=1e-3, abs=1e-3)
    for place, text in enumerate(ids.numpy()):
        found = fold.fits(text, place)
        assert found == pytest.approx(fits.numpy()[place], rel=1e-3, abs=1e-3)
        assert np.abs(found[:, 0]).max() > 0.1
        assert found[found[:, 1] > 0, 1].mean() == pytest.approx(1)


def test_a_new_model_ranks_as_its_comparison_does_and_then_learns(examples):
    tf_keras.utils.set_random_seed(5)
    model = ListMatching(CONFIG, LENGTH, SETTINGS)
    for weight in model.backbone.named_layers["next_sentence"].weights:
        weight.assign(tf.zeros_like(weight))
    batch = next(iter(examples.training_batches(6)))
    scores = model.scores(batch).numpy()
    assert scores == pytest.approx(batch["comparison_score"].numpy(), rel=1e-5)
    optimizer = tf.keras.optimizers.Adam(3e-3)
    losses = []
    for _ in range(60):
        with tf.GradientTape() as tape:
            loss = model.losses(batch)["list_loss"].mean()
        gradients = tape.gradient(loss, model.trainable_variables)
        assert all(gradient is not None for gradient in gradients)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        losses.append(float(loss))
    assert losses[-1] < losses[0] / 2
    names = {variable.name for variable in model.trainable_variables}
    assert any("score_weight" in name for name in names)
    assert not any("member" in name for name in names)


def test_hidden_features_are_the_mean_and_alike_in_a_list(examples):
    model = ListMatching(CONFIG, LENGTH, SETTINGS)
    model.named_layers["feature_normalisation"].mean.assign([9.0] * small_records.FEATURE_SIZE)
    features = tf.cast(next(iter(examples.training_batches(3)))["patch_features"], tf.float32)
    tf_keras.utils.set_random_seed(1)
    shown = model._with_hidden(features, True).numpy()
    hidden = shown != features.numpy()
    assert 0.2 < hidden.mean() < 0.4 and (shown[hidden] == 9.0).all()
    assert (hidden == hidden[:, :1]).all() and (hidden[0] != hidden[1]).any()
    assert (model._with_hidden(features, False).numpy() == features.numpy()).all()


def test_the_matcher_gives_the_list_score(examples):
    model = ListMatching(CONFIG, LENGTH, SETTINGS)
    backbone = model.backbone
    reader = backbone.named_layers["comparison_reader"]
    reader.outer.assign(tf.random.normal(reader.outer.shape, seed=1))
    backbone.named_layers["comparison"].measure_fits()
    batch = {name: value[0] for name, value in next(iter(examples.training_batches(1))).items()}
    features = tf.cast(batch["patch_features"], tf.float32)
    image = backbone.image_inputs(features, batch["patch_boxes"])
    text = {name: batch[name] for name in ("input_ids", "input_mask", "segment_ids")}
    hubness = tf.range(CANDIDATES, dtype=tf.float32)
    score, fits = backbone.named_layers["comparison"](
        text["input_ids"], text["input_mask"], backbone.compared_features(image), hubness
    )
    logits = backbone.matcher({**text, **image, "comparison_hubness": hubness})
    listed = backbone.list_scorer(
        {**text, **image, "comparison_score": score, "comparison_fits": fits}
    )
    assert logits[:, 1].numpy() == pytest.approx(listed.numpy(), rel=1e-4, abs=1e-4)
    assert (logits[:, 0].numpy() == 0).all()


def test_the_first_weight_is_the_best_one():
    generator = np.random.default_rng(2)
    scores = generator.normal(size=[400, 7])
    scores[:, 0] += 1
    weight = fitted_score_weight(scores)

    def loss(factor):
        return np.mean(np.logaddexp.reduce(factor * scores, axis=1) - factor * scores[:, 0])

    assert loss(weight) < min(loss(weight * 0.9), loss(weight * 1.1))
    assert fitted_score_weight(3 * scores) == pytest.approx(weight / 3, rel=0.01)


def test_a_reader_needs_a_comparison():
    with pytest.raises(InputError, match="`reads_comparison` needs a `comparison_size`"):
        tiny_config(reads_comparison=True)


def test_parts_of_lists_are_the_whole(examples):
    assert_parts_are_the_whole(lambda part: examples.training_batches(4, 8, part), most=3)
