import json

import pytest

from kaleido_tf.compat.checkpoints.text_encoder_config import (
    read_text_encoder_config,
    text_encoder_config,
)
from kaleido_tf.errors import InputError
from kaleido_tf.models.config import BertConfig
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig
from tests.pixel_family import PixelConfig
from tests.text_encoders import CONFIG


def read(folder, **changes):
    """The config with some keys changed (...: left out)."""
    content = {key: value for key, value in {**CONFIG, **changes}.items() if value is not ...}
    (folder / "config.json").write_text(json.dumps(content))
    return read_text_encoder_config(folder / "config.json")


def test_keys_are_those_of_our_configs(tmp_path):
    values = read(tmp_path, architectures=["BertModel"], use_cache=True)
    assert KaleidoBertConfig(**values).hidden_gelu == "erf"
    assert all(values[key] == CONFIG[key] for key in values if key != "hidden_gelu")


def test_key_that_is_missing_has_the_layouts_default(tmp_path):
    (tmp_path / "config.json").write_text('{"position_embedding_type": null}')
    base = BertConfig()
    values = read_text_encoder_config(tmp_path / "config.json")
    assert values.pop("hidden_gelu") == "erf"
    assert values == {key: getattr(base, key) for key in values} and len(values) == 11


@pytest.mark.parametrize("gelu, name", [("erf", "gelu"), ("tanh", "gelu_new")])
def test_what_is_written_is_read_back(tmp_path, gelu, name):
    config = KaleidoBertConfig(hidden_size=24, num_attention_heads=3, hidden_gelu=gelu)
    content = text_encoder_config(config, 7)
    assert (content["hidden_act"], content["pad_token_id"]) == (name, 7)
    values = read(tmp_path, **content)
    assert values == {key: getattr(config, key) for key in values}


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"model_type": "roberta"}, "`model_type` must be bert for a text .*Received: 'roberta'"),
        ({"hidden_act": "relu"}, "`hidden_act` must be one of gelu, gelu_new, .*'relu'"),
        ({"hidden_act": ["gelu"]}, r"`hidden_act` must be one of .*Received: \['gelu'\]"),
        (
            {"position_embedding_type": "relative_key"},
            "`position_embedding_type` must be absolute. Received: 'relative_key'",
        ),
        ({"is_decoder": True}, "`is_decoder` must be False. Received: True"),
        ({"num_attention_heads": 5}, "`hidden_size` must be a multiple of .* 12 and 5"),
        ({"hidden_size": "12"}, "`hidden_size` must be a whole number above 0. Received: '12'"),
        ({"num_hidden_layers": 0}, "`num_hidden_layers` must be a whole number above 0"),
        ({"vocab_size": True}, "`vocab_size` must be a whole number above 0. Received: True"),
        ({"layer_norm_eps": 0}, "`layer_norm_eps` must be a number above 0. Received: 0"),
        ({"initializer_range": None}, "`initializer_range` must be a number of at least 0.*None"),
    ],
)
def test_what_our_blocks_do_not_compute_is_named(tmp_path, changes, message):
    with pytest.raises(InputError, match=f"config.json: {message}"):
        read(tmp_path, **changes)


def test_missing_file_and_family_without_a_bert(tmp_path):
    with pytest.raises(InputError, match="needs its config.json beside its weights. Not found"):
        read_text_encoder_config(tmp_path / "config.json")
    with pytest.raises(InputError, match="type toypixels has no text side that is a BERT"):
        text_encoder_config(PixelConfig(), 0)
