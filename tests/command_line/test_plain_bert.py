"""A start from a text encoder in Hugging Face's layout, from the flag to the records; and what of
it is refused before a model is built.
"""

import json

import numpy as np
import pytest

from kaleido_tf.command_line.model_source import existing_model, model_to_train
from kaleido_tf.command_line.plain_bert import is_plain_bert
from kaleido_tf.compat.checkpoints.starting import load_start
from kaleido_tf.errors import InputError
from kaleido_tf.families import read_examples
from kaleido_tf.models.fashion_bert.config import FashionBertConfig
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig
from kaleido_tf.objectives.pretraining import Pretraining
from kaleido_tf.records.record import GRIDS
from kaleido_tf.text import DEFAULT_VOCABULARY, Vocabulary
from tests import runs, small_records, text_encoders
from tests.text_encoders import CONFIG

SIZES = {key: CONFIG[key] for key in CONFIG if key.endswith(("_size", "_layers", "_heads"))}
START = "--pretrain_model_name_or_path"


@pytest.fixture(scope="module")
def tensors():
    return text_encoders.draw()


@pytest.fixture
def encoder(tmp_path, tensors):
    return text_encoders.write(tmp_path / "encoder", tensors)


def model_config(folder, **content):
    path = folder / "new.json"
    path.write_text(json.dumps({"model_type": "kaleidobert", **content}))
    return str(path)


def train(encoder, tmp_path, config=None, records=None):
    return model_to_train(str(encoder), config, str(tmp_path / "run"), records, 9)


def test_sizes_and_activation_follow_the_encoder(encoder, tmp_path):
    """Where a config leaves them open, and where there is none."""
    source = train(encoder, tmp_path)
    assert source.config == KaleidoBertConfig(
        **SIZES, max_position_embeddings=17, hidden_gelu="erf", text_seq_len=9
    )
    assert source.start == str(encoder / "model.safetensors")
    assert source.vocabulary == str(encoder / "vocab.txt")
    grid = small_records.write(tmp_path / "grid", 3, layout=GRIDS[4])
    other = train(encoder, tmp_path, records=str(grid)).config
    assert isinstance(other, FashionBertConfig) and other.max_patch_position_embeddings == 16
    given = model_config(tmp_path, hidden_size=12, hidden_dropout_prob=0.0, box_unit="pixel")
    config = train(encoder, tmp_path, given).config
    assert (config.hidden_dropout_prob, config.box_unit, config.hidden_gelu) == (
        0.0,
        "pixel",
        "erf",
    )


def test_config_of_other_sizes_is_one_message_that_names_them(encoder, tmp_path):
    given = model_config(tmp_path, hidden_size=24, num_hidden_layers=2, hidden_gelu="tanh")
    message = (
        "--model_config=.*new.json must have the sizes of the BERT it starts from, or leave them"
        " out: hidden_size 24 there, 12 in BERT; hidden_gelu tanh there, erf in BERT$"
    )
    with pytest.raises(InputError, match=message):
        train(encoder, tmp_path, given)


def test_run_starts_from_the_encoder_and_measures_what_is_new(tmp_path, tensors, capsys):
    """The normalisation of the patch features is no part of a BERT."""
    words = DEFAULT_VOCABULARY.read_text(encoding="utf-8")
    size = len(Vocabulary())
    encoder = text_encoders.write(
        tmp_path / "encoder", text_encoders.draw(vocab_size=size), words=words, vocab_size=size
    )
    records = small_records.write(tmp_path / "train", 7)
    given = model_config(tmp_path, patch_feature_norm="standard")
    source = train(encoder, tmp_path, given, str(records))
    settings = runs.settings(tmp_path, tmp_path / "run", tasks=())
    objective = Pretraining(
        source.config, settings.pretraining, 9, lambda model: load_start(model, source.start)
    )
    model = objective.build()
    assert model.trainable_variables
    objective.starter(runs.examples_of(settings.train, settings, source.config), 5)(model, None)
    mean = model.named_layers["feature_normalisation"].mean.numpy()
    assert np.abs(mean).min() > 0.05
    assert "with random weights: bert/blank_embeddings" in capsys.readouterr().out
    words = model.named_layers["text_embedding"].word_embeddings.numpy()
    expected = text_encoders.draw(vocab_size=size)["embeddings.word_embeddings.weight"]
    np.testing.assert_array_equal(words, expected)


def test_records_of_another_vocabulary_are_refused(encoder, tmp_path):
    records = small_records.write(tmp_path / "train", 3)
    described = json.loads((records / "dataset.json").read_text())
    described["vocabulary_digest"] = Vocabulary().digest
    (records / "dataset.json").write_text(json.dumps(described))
    source = train(encoder, tmp_path, records=str(records))
    settings = runs.settings(tmp_path, tmp_path / "run")
    with pytest.raises(InputError, match="were made with another vocabulary than .*encoder/vocab"):
        vocabulary = Vocabulary(source.vocabulary)
        read_examples(settings.train, settings.examples, source.config, (), vocabulary)


def test_folder_without_vocabulary_or_weights(encoder, tmp_path):
    (encoder / "vocab.txt").unlink()
    with pytest.raises(InputError, match="A BERT needs its vocab.txt beside its config"):
        train(encoder, tmp_path)
    (encoder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=f"{START}=.*encoder holds no weights: model.safetensors"):
        train(encoder, tmp_path)


@pytest.mark.parametrize("named", ["encoder", "encoder/pytorch_model.bin"])
def test_pickle_is_not_read_and_the_message_says_how_to_convert(encoder, tmp_path, named):
    (encoder / "model.safetensors").rename(encoder / "pytorch_model.bin")
    message = (
        f"{START}=.* must hold model.safetensors. Received: pytorch_model.bin, a pickle.*"
        r"from_pretrained\(FOLDER\).save_pretrained\(NEW, safe_serialization=True\)"
    )
    with pytest.raises(InputError, match=message):
        train(tmp_path / named, tmp_path)


@pytest.mark.parametrize("kind", ["roberta", "distilbert"])
def test_other_architectures_are_named(tmp_path, tensors, kind):
    folder = text_encoders.write(tmp_path / "other", tensors, model_type=kind)
    message = (
        r"config.json: `model_type` must be bert \(a text encoder to start from\) or one of"
        f" kaleidobert, imagebert, mvlt, fashion_vil. Received: '{kind}'"
    )
    with pytest.raises(InputError, match=message):
        train(folder, tmp_path)


def test_encoder_that_does_not_fit_its_config_is_refused_before_a_model_is_built(tmp_path, tensors):
    folder = text_encoders.write(tmp_path / "in", tensors, shards=3, intermediate_size=21)
    with pytest.raises(InputError, match="index.json does not have the sizes of its config.json"):
        train(folder, tmp_path)
    (folder / "model-00002-of-00003.safetensors").unlink()
    message = "needs the 3 files that it lists. Not found: model-00002-of-00003.safetensors"
    with pytest.raises(InputError, match=message):
        train(folder, tmp_path)


def test_encoder_is_a_start_and_no_model_to_use(encoder):
    assert is_plain_bert(str(encoder))
    with pytest.raises(InputError, match="`model_type` must be one of kaleidobert, imagebert"):
        existing_model(str(encoder))
