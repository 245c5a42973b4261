"""A BERT of texts alone that a new model starts from: Google's release, or Hugging Face's
layout.
"""

import os

from kaleido_tf.compat.checkpoints.state_dict import is_torch_file
from kaleido_tf.compat.checkpoints.text_encoder import TextEncoder
from kaleido_tf.compat.checkpoints.text_encoder_config import BERT, BERT_CHOICES, BERT_SIZES
from kaleido_tf.compat.checkpoints.weights import find_weights, kind_of
from kaleido_tf.errors import InputError
from kaleido_tf.families import DEFAULT_TYPE, FAMILIES
from kaleido_tf.files.input_files import visible_files
from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.training.checkpoints import model_files

_GOOGLE_CONFIG = "bert_config.json"


def is_plain_bert(path: str) -> bool:
    """Whether a model is a BERT of texts alone rather than one of the families.

    Raises: InputError for another architecture.
    """
    config = model_files(path)[0]
    if not config.is_file():
        return config.with_name(_GOOGLE_CONFIG).is_file()
    content = read_json_object(config)
    says_image = any(key.startswith(("patch_", "max_patch_", "img_", "box_")) for key in content)
    kind = content.get("model_type", DEFAULT_TYPE if says_image else BERT)
    if kind != BERT and (not isinstance(kind, str) or kind not in FAMILIES):
        raise InputError(
            f"{config}: `model_type` must be {BERT} (a text encoder to start from) or one of"
            f" {', '.join(FAMILIES)}. Received: {kind!r}"
        )
    return kind == BERT


def weights_of_bert(path: str) -> str:
    """Where the weights of a plain BERT lie, as `find_weights`. Raises: InputError if nowhere."""
    weights = find_weights(path)
    if weights is not None and not is_torch_file(weights):
        return weights
    folder = model_files(path)[0].parent
    pickles = [os.path.basename(file) for file in visible_files(folder, (".bin", ".pt", ".pth"))]
    if pickles:
        raise InputError(
            f"--pretrain_model_name_or_path={path} must hold model.safetensors. Received:"
            f" {', '.join(pickles[:5])}, a pickle, which could run code and is not read. In"
            " transformers, BertForPreTraining.from_pretrained(FOLDER).save_pretrained(NEW,"
            " safe_serialization=True) writes what is needed; vocab.txt has to be copied beside it"
        )
    raise InputError(
        f"--pretrain_model_name_or_path={path} holds no weights: model.safetensors (or"
        " model.safetensors.index.json and its shards), or a checkpoint like bert_model.ckpt.index"
        " and .data"
    )


def sizes_of_bert(weights: str) -> dict:
    """The sizes of a plain BERT, and how its blocks compute, by the keys of our configs.

    Args: weights: as `weights_of_bert`.
    Raises: InputError for a text encoder whose config cannot be used or does not fit its tensors.
    """
    if kind_of(weights) in ("hf", "safetensors"):
        return TextEncoder(weights).sizes
    config = model_files(weights)[0]
    written = read_json_object(config if config.is_file() else config.with_name(_GOOGLE_CONFIG))
    return {key: value for key, value in written.items() if key in (*BERT_SIZES, *BERT_CHOICES)}


def check_sizes(content: dict, model_config: str | None, sizes: dict) -> None:
    """Holds the `content` of --model_config against the sizes of a plain BERT.

    Raises: InputError naming all that differ.
    """
    other = [
        f"{key} {content[key]} there, {value} in BERT"
        for key, value in sizes.items()
        if key not in BERT_CHOICES and content.get(key, value) != value
    ]
    if other:
        raise InputError(
            f"--model_config={model_config} must have the sizes of the BERT it starts from, or"
            f" leave them out: {'; '.join(other)}"
        )
