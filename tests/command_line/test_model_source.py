"""Which model a command means: of a family, from a plain BERT, from scratch, for use."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from kaleido_tf.command_line.model_source import (
    ModelSource,
    existing_model,
    model_to_train,
    model_to_use,
    tasks_there,
    with_dropout,
)
from kaleido_tf.compat.checkpoints.conversion import convert
from kaleido_tf.compat.checkpoints.starting import load_start
from kaleido_tf.compat.checkpoints.tf1_checkpoint import Tf1Checkpoint, write_tf1_checkpoint
from kaleido_tf.compat.checkpoints.weights import load_weights, model_for_weights
from kaleido_tf.errors import InputError
from kaleido_tf.models.fashion_bert.config import FashionBertConfig
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig
from kaleido_tf.models.kaleido_bert.model import KaleidoBert
from kaleido_tf.models.mvlt.config import MvltConfig
from kaleido_tf.records.record import GRIDS, KALEIDO
from kaleido_tf.text import DEFAULT_VOCABULARY
from tests import small_records
from tests.end_to_end.commands import ROOT
from tests.golden_files import checkpoint_in, kaleido_bert, read_json
from tests.pixel_family import PixelConfig

BERT_SIZES = (
    "hidden_size",
    "intermediate_size",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "type_vocab_size",
    "vocab_size",
)
SCOPE = "kaleido_bert_pre_trained_model/"
TINY = str(ROOT / "run_configs" / "tiny_kaleido_bert.json")


@pytest.fixture
def golden():
    return kaleido_bert()


@pytest.fixture
def sizes(golden):
    """The config of the golden model."""
    return read_json(golden / "config.json")


@pytest.fixture
def bert(golden, sizes, tmp_path):
    """A folder as Google releases BERT: bert_config.json, vocab.txt, bert_model.ckpt; tiny."""
    folder = tmp_path / "uncased_bert"
    folder.mkdir()
    checkpoint = Tf1Checkpoint(checkpoint_in(golden))
    names = [
        name
        for name in checkpoint.shapes
        if "/encoder/" in name or "/bert/embeddings/" in name or "/pooler/" in name
    ]
    write_tf1_checkpoint(
        folder / "bert_model.ckpt",
        {name.removeprefix(SCOPE): checkpoint.read(name) for name in names},
    )
    (folder / "checkpoint").unlink()  # releases come without
    config = {
        "attention_probs_dropout_prob": 0.1,
        "directionality": "bidi",
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.2,
        "initializer_range": 0.02,
        "pooler_fc_size": 768,
        "pooler_type": "first_token_transform",
        **{name: sizes[name] for name in BERT_SIZES},
    }
    (folder / "bert_config.json").write_text(json.dumps(config))
    shutil.copy(golden / "vocab.txt", folder / "vocab.txt")
    return folder


def test_model_of_a_family_is_trained_on_as_it_is(golden, sizes, tmp_path):
    source = model_to_train(str(golden), None, str(tmp_path), None, 64)
    assert source.config.hidden_size == sizes["hidden_size"]
    assert source.start == checkpoint_in(golden)
    assert source.vocabulary == str(golden / "vocab.txt")


@pytest.mark.parametrize("family", [KaleidoBertConfig, FashionBertConfig])
def test_plain_bert_gives_sizes_vocabulary_and_first_weights(bert, sizes, tmp_path, family, capsys):
    layout = KALEIDO if family is KaleidoBertConfig else GRIDS[4]
    data = small_records.write(tmp_path / "records", 5, layout=layout)
    (tmp_path / "new.json").write_text(
        json.dumps({"model_type": family.MODEL_TYPE, "matching_similarity": False})
    )
    source = model_to_train(str(bert), str(tmp_path / "new.json"), str(tmp_path), str(data), 24)
    config = source.config
    assert isinstance(config, family) and (
        config.hidden_size,
        config.vocab_size,
        config.hidden_dropout_prob,
    ) == (sizes["hidden_size"], sizes["vocab_size"], 0.2)
    assert (config.patch_feature_size, config.text_seq_len) == (small_records.FEATURE_SIZE, 24)
    assert source.vocabulary == str(bert / "vocab.txt") and source.start == str(
        bert / "bert_model.ckpt"
    )
    model = model_for_weights(config, ())
    load_start(model, source.start)
    count = len(Tf1Checkpoint(source.start).shapes)
    assert f"start: {count} of " in capsys.readouterr().out
    theirs = Tf1Checkpoint(source.start).read("bert/embeddings/word_embeddings")
    assert (model.named_layers["text_embedding"].word_embeddings.numpy() == theirs).all()


def test_sizes_of_the_config_must_be_those_of_bert(bert, sizes, tmp_path):
    hidden = sizes["hidden_size"]
    changed = {"hidden_size": 2 * hidden, "hidden_dropout_prob": 0.0}
    (tmp_path / "new.json").write_text(json.dumps({"model_type": "kaleidobert", **changed}))
    with pytest.raises(
        InputError,
        match=(
            "must have the sizes of the BERT it starts from, or leave them out: hidden_size"
            f" {2 * hidden} there, {hidden} in BERT"
        ),
    ):
        model_to_train(str(bert), str(tmp_path / "new.json"), str(tmp_path), None, 24)
    (tmp_path / "new.json").write_text(
        json.dumps(
            {"model_type": "kaleidobert", "hidden_dropout_prob": 0.0, "matching_similarity": False}
        )
    )
    assert (
        model_to_train(
            str(bert), str(tmp_path / "new.json"), str(tmp_path), None, 24
        ).config.hidden_dropout_prob
        == 0.0
    )


def test_bert_whose_config_has_the_usual_name(bert, sizes, tmp_path):
    (bert / "bert_config.json").rename(bert / "config.json")
    (tmp_path / "new.json").write_text(
        json.dumps({"model_type": "kaleidobert", "matching_similarity": False})
    )
    config = model_to_train(str(bert), str(tmp_path / "new.json"), str(tmp_path), None, 24).config
    assert config.hidden_size == sizes["hidden_size"]


def test_config_beside_a_model_of_a_family_is_reported_as_left_alone(
    golden, sizes, tmp_path, capsys
):
    config = model_to_train(str(golden), TINY, str(tmp_path), None, 64).config
    assert config.hidden_size == sizes["hidden_size"]
    said = f"--model_config={TINY} is not used: it is for new models, and {golden} brings its own"
    assert said in capsys.readouterr().out


def test_dropout_of_a_start_can_be_changed(golden, tmp_path):
    source = model_to_train(str(golden), None, str(tmp_path), None, 64)
    assert with_dropout(source, None) == source
    changed = {"hidden_dropout_prob": 0.25, "attention_probs_dropout_prob": 0.25}
    expected = dataclasses.replace(source.config, **changed)
    assert with_dropout(source, 0.25).config == expected
    assert with_dropout(source, 0.25).start == source.start


def test_dropout_of_a_model_whose_attention_drops_nothing():
    source = ModelSource(MvltConfig(drop_path_prob=0.2), str(DEFAULT_VOCABULARY), None)
    expected = MvltConfig(drop_path_prob=0.2, hidden_dropout_prob=0.25)
    assert with_dropout(source, 0.25).config == expected


def test_dropout_of_a_family_without_any_is_refused():
    source = ModelSource(PixelConfig(), "vocab.txt")
    with pytest.raises(InputError, match="--dropout needs a model with `hidden_dropout_prob`"):
        with_dropout(source, 0.25)


@pytest.mark.parametrize(
    "layout, family",
    [(KALEIDO, KaleidoBertConfig), (GRIDS[4], FashionBertConfig), (None, KaleidoBertConfig)],
)
def test_without_a_config_the_family_is_the_one_that_reads_the_records(
    bert, sizes, tmp_path, layout, family, capsys
):
    """With its defaults for new models, not those of the originals."""
    data = layout and str(small_records.write(tmp_path / "records", 5, layout=layout))
    source = model_to_train(str(bert), None, str(tmp_path), data, 24)
    given = {name: sizes[name] for name in BERT_SIZES}
    if data:
        given["patch_feature_size"] = small_records.FEATURE_SIZE
    if family is FashionBertConfig:
        given["max_patch_position_embeddings"] = 16
    assert source.config == family(**given, hidden_dropout_prob=0.2, text_seq_len=24)
    said = f"no --model_config: a new {source.config.model_type} with the sizes of {source.start}"
    assert said in capsys.readouterr().out


def test_new_model_follows_its_records(tmp_path):
    data = small_records.write(tmp_path / "records", 5)
    source = model_to_train(None, TINY, str(tmp_path), str(data), 24)
    assert (
        source.config.patch_feature_size,
        source.config.text_seq_len,
        source.config.vocab_size,
    ) == (small_records.FEATURE_SIZE, 24, 30522)
    assert source.vocabulary == str(data / "vocab.txt") and source.start is None


def test_run_that_is_gone_on_with_needs_no_config(tmp_path):
    config = KaleidoBertConfig(hidden_size=24, num_attention_heads=3)
    (tmp_path / "config.json").write_text(json.dumps(config.to_dict()))
    assert model_to_train(None, None, str(tmp_path), None, 64).config == config


@pytest.mark.parametrize(
    "start, model_config, message",
    [
        (None, None, "A new model needs --model_config"),
        (None, "gone.json", "--model_config: a config.json is needed. Not found: gone.json"),
        ("gone/model.ckpt", None, "Not found: gone/model.ckpt"),
    ],
)
def test_what_is_missing_is_named(tmp_path, start, model_config, message):
    with pytest.raises(InputError, match=message):
        model_to_train(start, model_config, str(tmp_path), None, 64)


def test_folder_without_weights_or_vocabulary_is_named(golden, tmp_path):
    shutil.copy(golden / "config.json", tmp_path / "config.json")
    with pytest.raises(
        InputError, match="A model needs its vocab.txt beside config.json. Not found"
    ):
        existing_model(str(tmp_path))
    shutil.copy(DEFAULT_VOCABULARY, tmp_path / "vocab.txt")
    with pytest.raises(InputError, match="holds no checkpoint .* needs --model_config instead"):
        model_to_train(str(tmp_path), None, str(tmp_path / "run"), None, 64)


def test_weights_and_config_may_come_from_two_places(golden, tmp_path):
    """As in the original's commands: the model of the zoo, the weights of a checkpoint."""
    for ending in ("index", "data-00000-of-00001"):
        shutil.copy(f"{checkpoint_in(golden)}.{ending}", tmp_path / f"kaleidobert.ckpt-7.{ending}")
    source = model_to_use(str(tmp_path / "kaleidobert.ckpt-7"), str(golden))
    assert source.start == str(tmp_path / "kaleidobert.ckpt-7") and source.vocabulary == str(
        golden / "vocab.txt"
    )
    with pytest.raises(
        InputError, match="A model needs its vocab.txt|A model needs its config.json"
    ):
        model_to_use(str(tmp_path / "kaleidobert.ckpt-7"), None)
    with pytest.raises(InputError, match="None at: .*gone"):
        model_to_use(str(tmp_path / "gone"), str(golden))


def test_several_checkpoints_need_a_choice(golden, tmp_path):
    for number in (1, 2):
        for ending in ("index", "data-00000-of-00001"):
            shutil.copy(
                f"{checkpoint_in(golden)}.{ending}", tmp_path / f"model.ckpt-{number}.{ending}"
            )
    with pytest.raises(
        InputError, match="One checkpoint is needed. .* holds 2 .*give the prefix of one"
    ):
        model_to_use(str(tmp_path), str(golden))


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_several_weights_in_a_folder_are_an_error_that_names_all(golden, tmp_path, names):
    convert(str(golden), str(tmp_path / "m"), "safetensors")
    (tmp_path / "m" / "._model.safetensors").write_bytes(b"Mac OS X")
    assert existing_model(str(tmp_path / "m")).start == str(tmp_path / "m" / "model.safetensors")
    for name in names:
        shutil.copy(tmp_path / "m" / "model.safetensors", tmp_path / "m" / f"{name}.safetensors")
    (tmp_path / "m" / "model.safetensors").unlink()
    with pytest.raises(InputError, match="One checkpoint .*m/a.safetensors, .*m/b.safetensors"):
        existing_model(str(tmp_path / "m"))
    with pytest.raises(InputError, match="One checkpoint .*m/a.safetensors, .*m/b.safetensors"):
        model_to_use(str(tmp_path / "m"), str(golden))


def test_checkpoint_beside_a_safetensors_file_is_an_error_that_names_both(golden, tmp_path):
    shutil.copytree(golden, tmp_path / "m")
    convert(str(golden), str(tmp_path / "s"), "safetensors")
    shutil.copy(tmp_path / "s" / "model.safetensors", tmp_path / "m" / "model.safetensors")
    with pytest.raises(InputError, match=r"m/model.ckpt-\d+, .*m/model.safetensors"):
        existing_model(str(tmp_path / "m"))


@pytest.mark.parametrize("tasks", [None, ("jigsaw",)])
def test_safetensors_are_used_without_conversion_back(golden, tmp_path, tasks):
    convert(str(golden), str(tmp_path / "handed_on"), "safetensors")
    source = model_to_use(str(tmp_path / "handed_on"), None)
    assert source.start == str(tmp_path / "handed_on" / "model.safetensors")
    assert tasks_there(source.start, source.config) == KaleidoBert.TASKS
    model, expected = (model_for_weights(source.config, tasks) for _ in range(2))
    load_weights(model, source.start)
    load_weights(expected, checkpoint_in(golden))
    for ours, theirs in zip(model.trainable_variables, expected.trainable_variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert (
        model_to_train(str(tmp_path / "handed_on"), None, str(tmp_path), None, 64).start
        == source.start
    )
