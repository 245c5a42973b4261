"""Records to what a run of recognition makes of them, where photos have several views."""

import types

import numpy as np
import pytest

from kaleido_tf.command_line.recognition_model import probabilities
from kaleido_tf.command_line.recognition_records import classes_of_training, labelled
from kaleido_tf.data.record_table import open_records
from kaleido_tf.objectives.recognition import Classifier
from kaleido_tf.objectives.recognition_config import RecognitionConfig
from kaleido_tf.records.record import KALEIDO
from kaleido_tf.text import Vocabulary
from kaleido_tf.training.run_config import DeviceConfig
from tests import small_records
from tests.tiny_models import tiny_config

SESSION = types.SimpleNamespace(
    vocabulary=Vocabulary(),
    run=types.SimpleNamespace(seed=3, device=DeviceConfig()),
    config=tiny_config(),
    text_length=9,
)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Thirteen records of seven photos: the last one has its plain view only."""
    folder = tmp_path_factory.mktemp("records")
    small_records.write(folder, 13, change=small_records.viewed)
    small_records.name_classes(folder)
    size = small_records.FEATURE_SIZE
    return open_records(str(folder), KALEIDO, size, SESSION.vocabulary, 9)


def test_classes_count_photos(table):
    classes = classes_of_training(table, "train", "subcatepred", "both")
    assert dict(zip(classes.names, classes.train_counts)) == {"coat": 2, "dress": 3, "skirt": 2}
    records = labelled(table, classes, SESSION)
    assert records.evaluated.labels.tolist() == [1, 2, 0, 1, 2, 0, 1]
    assert list(records.evaluated.products) == [f"P{n:03d}" for n in range(7)]
    assert len(records.examples) == 13  # each view is trained on


def test_probabilities_of_a_photo_are_the_mean_over_its_views(table):
    classes = classes_of_training(table, "train", "subcatepred", "both")
    records = labelled(table, classes, SESSION)
    sizes = {"vocab_size": 30522, "patch_feature_size": small_records.FEATURE_SIZE}
    config = tiny_config(**sizes, num_hidden_layers=1, initializer_range=0.3)
    model = Classifier(config, "subcatepred", 3, 9, RecognitionConfig())
    found = probabilities(SESSION, model, records.examples, records.photos, 4)
    logits = model.logits(next(iter(records.examples.evaluation_batches(13)))).numpy()
    powers = np.exp(logits.astype(np.float64))
    every = powers / powers.sum(axis=1, keepdims=True)
    assert np.abs(every[:12:2] - every[1::2]).max() > 1e-4
    expected = np.concatenate([(every[:12:2] + every[1::2]) / 2, every[12:]])
    np.testing.assert_allclose(found, expected, atol=1e-6)
