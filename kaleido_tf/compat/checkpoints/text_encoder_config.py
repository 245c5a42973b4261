"""`config.json` of a text encoder (BERT) in Hugging Face's layout: read into the keys of our
configs, and written from them.
"""

import dataclasses
import math
import pathlib

from kaleido_tf.errors import InputError
from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.models.config import BertConfig, ModelConfig

BERT = "bert"
"""The `model_type` of the one architecture that is read."""
BERT_CHOICES = ("hidden_dropout_prob", "attention_probs_dropout_prob", "initializer_range")
"""What a model that starts from a BERT may choose otherwise."""
BERT_SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
)
_GELUS = {"gelu": "erf", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh"}
"""`hidden_act` there -> `hidden_gelu` here."""
_FIXED = {"position_embedding_type": "absolute", "is_decoder": False, "add_cross_attention": False}
"""Keys that change what is computed, and the only value that our blocks compute."""


def read_text_encoder_config(path: pathlib.Path) -> dict:
    """What a `config.json` says of a model, by the keys of our configs: `BERT_SIZES`,
    `BERT_CHOICES`, `hidden_gelu`, `layer_norm_eps`.

    A key that is missing has the layout's default, which is BERT's base size, as in our configs.
    Raises: InputError for another architecture, and for what our blocks do not compute.
    """
    if not path.is_file():
        raise InputError(
            f"A text encoder needs its config.json beside its weights. Not found: {path}"
        )
    content = read_json_object(path)
    if content.get("model_type", BERT) != BERT:
        raise InputError(
            f"{path}: `model_type` must be {BERT} for a text encoder. Received:"
            f" {content['model_type']!r}"
        )
    for key, only in _FIXED.items():
        if content.get(key, only) not in (only, None):
            raise InputError(f"{path}: `{key}` must be {only}. Received: {content[key]!r}")
    gelu = content.get("hidden_act", "gelu")
    if not isinstance(gelu, str) or gelu not in _GELUS:
        raise InputError(
            f"{path}: `hidden_act` must be one of {', '.join(_GELUS)}. Received: {gelu!r}"
        )
    numbers = {
        field.name: _number(path, content, field.name, field.default)
        for field in dataclasses.fields(BertConfig)
        if field.name in (*BERT_SIZES, *BERT_CHOICES, "layer_norm_eps")
    }
    if numbers["hidden_size"] % numbers["num_attention_heads"]:
        raise InputError(
            f"{path}: `hidden_size` must be a multiple of `num_attention_heads`. Received:"
            f" {numbers['hidden_size']} and {numbers['num_attention_heads']}"
        )
    return {**numbers, "hidden_gelu": _GELUS[gelu]}


def _number(path: pathlib.Path, content: dict, key: str, default: float) -> float:
    value = content.get(key, default)
    whole, zero = isinstance(default, int), key in BERT_CHOICES  # no dropout is a choice
    fits = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if not fits or not 0 <= value < math.inf or (value == 0 and not zero):
        needed = f"a {'whole ' if whole else ''}number {'of at least' if zero else 'above'} 0"
        raise InputError(f"{path}: `{key}` must be {needed}. Received: {value!r}")
    return value


def text_encoder_config(config: ModelConfig, pad_id: int) -> dict:
    """The `config.json` of a model's text side. Args: pad_id: of the vocabulary.

    Raises: InputError for a model that has no BERT on its text side.
    """
    keys = (*BERT_SIZES, *BERT_CHOICES, "layer_norm_eps", "hidden_gelu")
    absent = [key for key in keys if not hasattr(config, key)]
    if absent:
        raise InputError(
            f"A model of type {config.model_type} has no text side that is a BERT: its config has"
            f" no {', '.join(absent)}"
        )
    values = {key: getattr(config, key) for key in keys}
    gelu = values.pop("hidden_gelu")
    return {
        "architectures": ["BertForMaskedLM"],
        "model_type": BERT,
        **values,
        # Of two names for the same, the one that is older.
        "hidden_act": next(name for name, ours in _GELUS.items() if ours == gelu),
        "position_embedding_type": "absolute",
        "pad_token_id": pad_id,
    }
