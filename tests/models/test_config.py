import json

import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.families import read_config
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig
from kaleido_tf.training.run_config import RunConfig


def test_defaults_are_the_papers_base_model():
    config = KaleidoBertConfig()
    assert (config.num_hidden_layers, config.hidden_size, config.num_attention_heads) == (
        12,
        768,
        12,
    )
    assert config.patch_feature_size == 2048


def test_original_file_means_the_original_behaviour(golden_dir):
    config = read_config(golden_dir / "kaleidobert_tiny" / "ptv2" / "config.json")
    assert (config.box_unit, config.grey_target, config.patch_type_vocab_size) == (
        "pixel",
        "joint",
        2,
    )
    assert (config.hidden_size, config.vocab_size) == (32, 1000)


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
        ({"hidden_sise": 10}, "unknown key.* hidden_sise"),
        ({"hidden_size": "768"}, "`hidden_size` must be int. Received: '768'"),
        ({"img_jigsaw_seq_len": 9}, "`img_jigsaw_seq_len` must be 4"),
        ({"box_unit": "metre"}, "`box_unit` must be one of relative, pixel. Received: 'metre'"),
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


def test_run_config_checks_its_numbers():
    with pytest.raises(InputError, match="`num_epochs` must be above 0. Received: 0"):
        RunConfig("a", "b", "c", "d", num_epochs=0)
    with pytest.raises(InputError, match="`learning_rate` must be above 0. Received: nan"):
        RunConfig("a", "b", "c", "d", learning_rate=float("nan"))
    with pytest.raises(InputError, match="`seed` must be 0 to 4294967295. Received: -1"):
        RunConfig("a", "b", "c", "d", seed=-1)
    with pytest.raises(InputError, match="`warmup_ratio` must be 0 to 1.0. Received: 1.5"):
        RunConfig("a", "b", "c", "d", warmup_ratio=1.5)
