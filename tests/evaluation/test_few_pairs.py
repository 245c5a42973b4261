import numpy as np
import pytest

from kaleido_tf.data.record_table import read_images, read_record_table
from kaleido_tf.evaluation.candidates import Pairs
from kaleido_tf.evaluation.few_pairs import FewPairs
from kaleido_tf.evaluation.scoring import candidate_batches, score_batches
from kaleido_tf.families import build_model
from kaleido_tf.files.input_files import find_files
from kaleido_tf.text import Vocabulary
from kaleido_tf.training.run_config import DeviceConfig
from kaleido_tf.training.strategy import make_strategy
from tests import small_records
from tests.tiny_models import tiny_config

LENGTH = 9
COMPARED = {
    "comparison_size": 7,
    "comparison_tower_size": 6,
    "comparison_members": 2,
    "comparison_bank": 8,
    "comparison_neighbours": 3,
}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = small_records.write(tmp_path_factory.mktemp("few"), 19, per_shard=5)
    files = find_files(str(folder))
    return read_record_table(files, Vocabulary(), LENGTH, small_records.FEATURE_SIZE)


def built(**sizes):
    """A model with drawn weights, as if its comparison had been trained on drawn products."""
    config = tiny_config(vocab_size=30522, patch_feature_size=small_records.FEATURE_SIZE, **sizes)
    model = build_model(config, (), LENGTH)
    _ = model.matcher
    generator = np.random.default_rng(5)
    for weight in model.matcher.trainable_weights:
        weight.assign(weight + generator.normal(scale=0.3, size=weight.shape))
    if model.compares:
        comparison = model.named_layers["comparison"]
        for weight in comparison.weights:
            if "rarity" in weight.name or "word_weights" in weight.name:
                weight.assign(generator.uniform(0.1, 1, weight.shape))
            elif "bank_images" in weight.name or "bank_patches" in weight.name:
                weight.assign(generator.normal(size=weight.shape))
        comparison.bank_ids.assign(generator.integers(1000, 3000, comparison.bank_ids.shape))
        comparison.bank_size.assign(6)
    return model


def sides(table, texts, photos):
    rows, features, boxes = read_images(table, photos)
    order = rows[photos]
    text = table.texts[texts]
    return (table.sequences[text], table.lengths[text]), (features[order], boxes[order])


@pytest.mark.parametrize("sizes", [{}, COMPARED], ids=["alone", "compared"])
def test_are_the_scores_of_whole_records(table, sizes):
    model = built(**sizes)
    texts, photos = np.array([3, 11, 0, 7]), np.array([18, 2, 7])
    pairs = np.repeat(np.arange(4), 3), np.tile(np.arange(3), 4)
    few = FewPairs(model).match_logits(*sides(table, texts, photos), pairs)
    none = np.zeros(12, int)
    whole = Pairs(texts[pairs[0]], photos[pairs[1]], none > 0, none)
    strategy = make_strategy(DeviceConfig())
    logits = score_batches(model.matcher, strategy, candidate_batches(model, table, whole, 5), 12)
    assert few == pytest.approx(logits[:, 1], abs=1e-5)
    assert few.std() > 1e-4


def test_shares_of_words_are_the_score_above_that_of_other_photos(table):
    model = built(**COMPARED)
    comparison = model.named_layers["comparison"]
    texts, photos = sides(table, np.array([4, 9]), np.array([4, 12]))
    shares = FewPairs(model).word_shares(texts, photos)
    assert shares.shape == (2, LENGTH)
    ids, mask = texts[0], (np.arange(LENGTH) < texts[1][:, None]).astype(np.int32)
    assert not shares[mask == 0].any()
    image = model.image_inputs(*map(np.float32, photos[:1]), photos[1].astype(np.int32))
    features = model.compared_features(image)
    expected = []
    for member in comparison.members:
        text, own = member.text_side(ids, mask), member.image_side(features)
        bank = type(own)(member.bank.patches[:6], member.bank.whole[:6])
        scores = [member.scores(text, side)[0].numpy() for side in (own, bank)]
        above = np.diag(scores[0]) - scores[1].mean(axis=1)
        expected.append(above / member.spreads[0].numpy())
    assert shares.sum(axis=1) == pytest.approx(np.mean(expected, axis=0), abs=1e-5)
