"""Text encoders in Hugging Face's layout: every variant gives the numbers of an implementation of
its own, and what does not fit is refused before anything is built.
"""

import functools
import json
import shutil

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file, save_file

from benchmarks.text_side import text_outputs
from kaleido_tf.compat.checkpoints.checkpoint_names import original_variables
from kaleido_tf.compat.checkpoints.conversion import convert
from kaleido_tf.compat.checkpoints.starting import load_start
from kaleido_tf.compat.checkpoints.text_encoder import TextEncoder, read_text_encoder
from kaleido_tf.compat.checkpoints.weights import find_weights, kind_of, model_for_weights
from kaleido_tf.errors import InputError
from kaleido_tf.models.fashion_bert.config import FashionBertConfig
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig
from tests import text_encoders
from tests.text_encoders import IDS, MASK, prefixed, without

CLOSE = dict(rtol=0, atol=2e-5)
CHOICES = dict(patch_feature_size=5, text_seq_len=IDS.shape[1])


@pytest.fixture(scope="module")
def tensors():
    return text_encoders.draw()


@functools.cache
def model_of(config):
    """Made once: a start leaves nothing of the text side as it was."""
    return model_for_weights(config, ())


def started(folder, family=KaleidoBertConfig):
    """A model that starts from the encoder in `folder`."""
    path = find_weights(folder)
    model = model_of(family(**TextEncoder(path).sizes, **CHOICES))
    load_start(model, path)
    return model


def write_own(model, folder, vocabulary):
    """A checkpoint of ours."""
    folder.mkdir()
    checkpoint = tf.train.Checkpoint(model=model, step=tf.Variable(9, dtype=tf.int64))
    checkpoint.save(str(folder / "model.ckpt"))
    (folder / "config.json").write_text(json.dumps(model.config.to_dict()))
    shutil.copy(vocabulary, folder / "vocab.txt")
    return folder


def check_text_side(model, tensors, **changes):
    """The model's text side against NumPy's, where the mask is 1."""
    expected, computed = text_encoders.bert(tensors, **changes), text_outputs(model, IDS, MASK)
    for name, value in expected.items():
        at = MASK if value.ndim == 3 else slice(None)
        np.testing.assert_allclose(computed[name][at], value[at], **CLOSE, err_msg=name)


def check_head(model, tensors, **changes):
    hidden = text_outputs(model, IDS, MASK)["last_hidden_state"]
    everywhere = tf.tile(tf.range(IDS.shape[1])[None], [len(IDS), 1])
    logits = model.named_layers["masked_lm"](hidden, everywhere)
    expected = text_encoders.masked_lm(tensors, hidden.astype(np.float64), **changes)
    np.testing.assert_allclose(logits, expected, **CLOSE)


VARIANTS = {
    "float32": dict(),
    "float16": dict(kind=np.float16),
    "bfloat16, prefix": dict(kind=ml_dtypes.bfloat16, rename=prefixed),
    "sharded, prefix": dict(rename=prefixed, shards=3),
    "names of TF1's layer norms": dict(
        rename=lambda tensors: {
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
                "LayerNorm.bias", "LayerNorm.beta"
            ): value
            for name, value in prefixed(tensors).items()
        }
    ),
}


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_numbers_are_those_of_an_implementation_of_its_own(tmp_path, tensors, variant):
    rounded = {
        name: value.astype(variant.get("kind", np.float32)) for name, value in tensors.items()
    }
    renamed = variant.get("rename", dict)(rounded)
    folder = text_encoders.write(tmp_path / "in", renamed, shards=variant.get("shards", 1))
    assert kind_of(find_weights(folder)) == "hf"
    model = started(folder)
    check_text_side(model, rounded)
    check_head(model, rounded)


@pytest.mark.parametrize(
    "changes",
    [{"hidden_act": "gelu_new"}, {"hidden_act": "gelu_pytorch_tanh"}, {"layer_norm_eps": 1e-2}],
    ids=str,
)
def test_activation_and_epsilon_are_those_of_the_config(tmp_path, tensors, changes):
    model = started(text_encoders.write(tmp_path / "in", tensors, **changes), FashionBertConfig)
    check_text_side(model, tensors, **changes)
    check_head(model, tensors, **changes)
    with pytest.raises(AssertionError, match="Mismatched elements"):
        check_text_side(model, tensors)


def test_encoder_alone_leaves_the_head_new(tmp_path, tensors, capsys):
    alone = without(tensors, "cls.", "pooler.")
    alone["embeddings.position_ids"] = np.arange(17)[None]
    alone["classifier.weight"] = np.zeros([3, 12], np.float32)
    model = started(text_encoders.write(tmp_path / "in", alone))
    outputs, expected = text_outputs(model, IDS, MASK), text_encoders.bert(tensors)
    np.testing.assert_allclose(outputs["layer_1"][MASK], expected["layer_1"][MASK], **CLOSE)
    said = capsys.readouterr().out
    assert f"start: {len(alone) - 2} of {len(original_variables(model))} variables" in said
    assert "with random weights: bert/blank_embeddings/blankmaskEmbLayerNorm/beta" in said
    assert "not used: classifier.weight, embeddings.position_ids" in said


def test_matching_head_of_two_texts_is_not_that_of_text_and_image(tmp_path, tensors, capsys):
    more = {"cls.seq_relationship.weight": np.full([2, 12], 7, np.float32)}
    model = started(text_encoders.write(tmp_path / "in", prefixed(tensors) | more))
    assert np.abs(model.named_layers["next_sentence"].logits.kernel).max() < 1
    assert "not used: cls.seq_relationship.weight" in capsys.readouterr().out


def test_weights_by_the_names_of_googles_bert(tmp_path, tensors):
    """What a family of any kind can fill its text side with."""
    folder = text_encoders.write(tmp_path / "in", without(tensors, "cls."))
    weights = read_text_encoder(folder / "model.safetensors")
    assert len(weights) == len(tensors) - 5
    np.testing.assert_array_equal(
        weights["bert/encoder/layer_1/attention/self/key/kernel"],
        tensors["encoder.layer.1.attention.self.key.weight"].T,
    )
    np.testing.assert_array_equal(
        weights["bert/embeddings/LayerNorm/gamma"], tensors["embeddings.LayerNorm.weight"]
    )
    with pytest.raises(InputError, match="model.safetensors holds no cls/predictions/output_bias"):
        TextEncoder(folder / "model.safetensors").read("cls/predictions/output_bias")


def test_repeated_decoder_must_be_the_word_embeddings(tmp_path, tensors, capsys):
    words = tensors["embeddings.word_embeddings.weight"]
    repeated = prefixed(tensors) | {
        "cls.predictions.decoder.weight": words,
        "cls.predictions.decoder.bias": tensors["cls.predictions.bias"],
    }
    del repeated["cls.predictions.bias"]
    check_head(started(text_encoders.write(tmp_path / "tied", repeated)), tensors)
    assert "not used" not in capsys.readouterr().out
    repeated["cls.predictions.decoder.weight"] = words + 1
    folder = text_encoders.write(tmp_path / "own", repeated)
    with pytest.raises(InputError, match="decoder.weight must be the word embeddings"):
        TextEncoder(find_weights(folder))


WORDS = "embeddings.word_embeddings.weight"
PROBLEMS = {
    "size": (
        {"hidden_size": 24},
        {},
        rf"does not have the sizes of its config.json.* Of another shape: \d+ \({WORDS} needs"
        r" \[29, 24\], found \[29, 12\]",
    ),
    "vocabulary": ({"vocab_size": 30}, {}, r"Of another shape: 2 .* needs \[30, 12\]"),
    "blocks too few": (
        {"num_hidden_layers": 3},
        {},
        r"Not found: 16 \(encoder.layer.2.attention.self.query.weight",
    ),
    "blocks too many": (
        {"num_hidden_layers": 1},
        {},
        r"Of more blocks than `num_hidden_layers` 1: 16 \(encoder.layer.1.",
    ),
    "missing": ({}, {WORDS: None}, rf"Not found: 1 \({WORDS}\)"),
    "missing in the head": (
        {},
        {"cls.predictions.transform.dense.bias": None},
        r"Not found: 1 \(cls.predictions.transform.dense.bias\)",
    ),
    "shape": (
        {},
        {"pooler.dense.weight": np.zeros([12, 13], np.float32)},
        r"pooler.dense.weight needs \[12, 12\], found \[12, 13\]",
    ),
    "quantised": (
        {},
        {"pooler.dense.weight": np.zeros([12, 12], np.int8)},
        r"weights must be floats.* Received: pooler.dense.weight \(int8\)",
    ),
}


@pytest.mark.parametrize("config, changes, message", PROBLEMS.values(), ids=PROBLEMS)
def test_weights_that_do_not_fit_are_named(tmp_path, tensors, config, changes, message):
    changed = {name: value for name, value in (tensors | changes).items() if value is not None}
    folder = text_encoders.write(tmp_path / "in", changed, **config)
    with pytest.raises(InputError, match=message):
        TextEncoder(folder / "model.safetensors")


def test_numbers_that_are_none_and_cased_texts_are_refused(tmp_path, tensors):
    broken = {**tensors, "pooler.dense.bias": np.full(12, np.nan, np.float32)}
    folder = text_encoders.write(tmp_path / "in", broken)
    with pytest.raises(InputError, match="pooler.dense.bias must hold finite numbers only"):
        read_text_encoder(folder / "model.safetensors")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    with pytest.raises(InputError, match="lower-cased texts is needed .* Received: a cased one"):
        TextEncoder(folder / "model.safetensors")


def test_sharded_folder_is_found_by_its_index(tmp_path, tensors):
    folder = text_encoders.write(tmp_path / "in", tensors, shards=2)
    index = folder / "model.safetensors.index.json"
    assert find_weights(folder) == find_weights(index) == str(index)
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(InputError, match="One checkpoint .*index.json, .*in/model.safetensors"):
        find_weights(folder)


@pytest.mark.parametrize("act", ["gelu", "gelu_new"])
def test_text_side_that_is_written_starts_a_model_with_the_same_numbers(tmp_path, tensors, act):
    """There and back: our model, its text side in the layout, another model of another family."""
    first = started(text_encoders.write(tmp_path / "in", tensors, hidden_act=act))
    own = write_own(first, tmp_path / "own", tmp_path / "in" / "vocab.txt")
    report = convert(str(own), str(tmp_path / "out"), "hf")
    written = load_file(tmp_path / "out" / "model.safetensors")
    assert set(written) == set(prefixed(tensors))
    for name, value in prefixed(tensors).items():
        np.testing.assert_array_equal(written[name], value, err_msg=name)
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    expected = {**text_encoders.CONFIG, "hidden_act": act, "pad_token_id": 0}
    assert config == {**expected, "architectures": ["BertForMaskedLM"]}
    vocabulary = (tmp_path / "out" / "vocab.txt").read_bytes()
    assert vocabulary == (tmp_path / "in" / "vocab.txt").read_bytes()
    assert report.variables == len(tensors) and len(report.unused) == len(
        original_variables(first)
    ) - len(tensors)
    again = started(tmp_path / "out", FashionBertConfig)
    before, after = text_outputs(first, IDS, MASK), text_outputs(again, IDS, MASK)
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value, err_msg=name)
