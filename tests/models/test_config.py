import json
import pathlib

import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.families import FAMILIES, config_from_dict, read_config
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig
from tests.golden_files import models_in, read_json


def test_defaults_are_the_papers_base_model():
    config = KaleidoBertConfig()
    assert (config.num_hidden_layers, config.hidden_size, config.num_attention_heads) == (
        12,
        768,
        12,
    )
    assert config.patch_feature_size == 2048


@pytest.mark.parametrize("folder", models_in("kaleidobert_tiny"), ids=lambda folder: folder.name)
def test_original_file_means_the_original_behaviour(folder):
    content = read_json(folder / "config.json")
    config = read_config(folder / "config.json")
    assert (config.box_unit, config.grey_target, config.patch_type_vocab_size) == (
        "pixel",
        "joint",
        content["patch_type_vocab_size"],
    )
    assert (config.hidden_size, config.vocab_size) == (
        content["hidden_size"],
        content["vocab_size"],
    )


def test_own_file_is_read_back_equal(tmp_path):
    config = KaleidoBertConfig(hidden_size=24, num_attention_heads=3, patch_feature_norm="standard")
    (tmp_path / "config.json").write_text(json.dumps(config.to_dict()))
    assert read_config(tmp_path / "config.json") == config


@pytest.mark.parametrize(
    "content, message",
    [
        (
            {"hidden_size": 10, "num_attention_heads": 4},
            "multiple of `num_attention_heads`.*hidden_size=10",
        ),
        ({"hidden_sise": 10}, "unknown key hidden_sise. Is hidden_size meant"),
        ({"hidden_size": "768"}, "`hidden_size` must be int. Received: '768'"),
        ({"img_jigsaw_seq_len": 9}, "`img_jigsaw_seq_len` must be 4"),
        ({"box_unit": "metre"}, "`box_unit` must be one of relative, pixel. Received: 'metre'"),
        ({"hidden_gelu": "gelu"}, "`hidden_gelu` must be one of tanh, erf. Received: 'gelu'"),
        ({"hidden_act": "gelu_new"}, "`hidden_act` must be gelu.*`hidden_gelu` says which one"),
        ({"num_attention_heads": 0}, "`num_attention_heads` must be at least 1.*Received: 0"),
        ({"vocab_size": 10**400}, "`vocab_size` must be .*at most"),
        ({"hidden_dropout_prob": 2.0}, r"`hidden_dropout_prob` must be in \[0, 1\). Received: 2.0"),
        ({"reconstruct_scale": float("inf")}, "`reconstruct_scale` must be above 0"),
        ({"model_type": ["kaleidobert"]}, "`model_type` must be one of"),
        ({"layer_norm_eps": 0}, "`layer_norm_eps` must be above 0 and below 1. Received: 0"),
    ],
)
def test_wrong_content_is_named(tmp_path, content, message):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        read_config(path)


def test_missing_and_broken_files_are_named(tmp_path):
    with pytest.raises(InputError, match="Not found: .*nowhere/config.json"):
        read_config(tmp_path / "nowhere" / "config.json")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match="config.json must be JSON"):
        read_config(tmp_path / "config.json")


@pytest.mark.parametrize(
    "key, value",
    [("reconstruct_scale", 1.0), ("matching_similarity", False), ("model_type", "kaleidobert")],
)
def test_a_default_that_is_spelled_out_changes_nothing_else(key, value):
    """A key that is missing means the original's value, whatever other keys stand beside."""
    alone, spelled = config_from_dict({}), config_from_dict({key: value})
    assert alone == spelled
    assert (spelled.box_unit, spelled.grey_target, spelled.patch_type_vocab_size) == (
        "pixel",
        "joint",
        2,
    )


@pytest.mark.parametrize("family", ["kaleidobert", "imagebert"])
def test_gelu_of_the_originals_is_the_approximation_whatever_they_call_it(family):
    config = config_from_dict({"model_type": family, "hidden_act": "gelu"})
    assert (config.hidden_gelu, config.layer_norm_eps) == ("tanh", 1e-12)


@pytest.mark.parametrize("beside", [{}, {"box_unit": "relative"}, {"model_type": "kaleidobert"}])
def test_key_without_meaning_is_reported_whatever_stands_beside(beside, capsys):
    config_from_dict({"loss_scale_of_release": 3, **beside})
    assert "key(s) without meaning here: loss_scale_of_release" in capsys.readouterr().out


def test_own_configs_spell_out_what_departs_from_the_original():
    folder = pathlib.Path(__file__).parents[2] / "run_configs"
    for path in folder.glob("*bert.json"):  # the others are of no model
        content = json.loads(path.read_text())
        assert set(FAMILIES[content["model_type"]].config.ORIGINAL) <= set(content), path.name
