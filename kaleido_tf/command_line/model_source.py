"""Which model a command means: its config, its vocabulary and its weights, from a path, a known
name or nothing.
"""

import dataclasses
import pathlib
from collections.abc import Callable

import tensorflow as tf

from kaleido_tf.compat.checkpoints.model_names import find_model
from kaleido_tf.compat.checkpoints.original_weights import (
    load_original_weights,
    start_from_original,
)
from kaleido_tf.compat.checkpoints.weights import SAFETENSORS, fill, find_weights, open_weights
from kaleido_tf.errors import InputError
from kaleido_tf.families import FAMILIES, config_from_dict, read_config
from kaleido_tf.files.input_files import find_files
from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.models.config import ModelConfig
from kaleido_tf.models.fashion_bert.config import FashionBertConfig
from kaleido_tf.records.dataset_json import declared_by, layout_of
from kaleido_tf.records.record import GRIDS
from kaleido_tf.text import DEFAULT_VOCABULARY, Vocabulary
from kaleido_tf.training.checkpoints import (
    find_checkpoint,
    is_own_checkpoint,
    load_own_checkpoint,
    model_files,
    tasks_of_checkpoint,
)

ROOT = pathlib.Path(__file__).parents[2]
BERT_CONFIG = "bert_config.json"
BERT_SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "initializer_range",
)


BERT_CHOICES = ("hidden_dropout_prob", "attention_probs_dropout_prob", "initializer_range")
"""Those of them that a model may choose otherwise."""


@dataclasses.dataclass(frozen=True)
class ModelSource:
    """A model: its config, the path of its vocabulary, and the checkpoint that its weights begin
    with (None: random).
    """

    config: ModelConfig
    vocabulary: str
    start: str | None = None


def existing_model(name_or_path: str) -> ModelSource:
    """A model with `config.json` and `vocab.txt`: in a directory, beside a checkpoint prefix, or in
    the model zoo.
    """
    path = find_model(name_or_path)
    config, vocabulary = model_files(path)
    if not vocabulary.is_file():
        raise InputError(f"A model needs its vocab.txt beside config.json. Not found: {vocabulary}")
    return ModelSource(read_config(config), str(vocabulary), find_weights(path))


def model_to_train(
    start: str | None,
    model_config: str | None,
    model_dir: str,
    records: str | None,
    text_length: int,
) -> ModelSource:
    """The model of a training run.

    Args:
      start: --pretrain_model_name_or_path; a model of a family is trained on as it is, a plain BERT
        gives a new model (of `model_config`) its sizes and first weights.
      model_config: path of the config.json of a new model.
      records: --train_input_fp where it holds records, whose patches, feature size and vocabulary a
        new model follows.
    """
    if start and not _is_plain_bert(find_model(start)):
        source = existing_model(start)
        if source.start is None:
            raise InputError(
                f"--pretrain_model_name_or_path={start} holds no checkpoint (model.ckpt.index and"
                " .data files). A new model with random weights needs --model_config instead"
            )
        if model_config:
            print(f"--model_config is for new models: {start} brings its own config.json")
        return source
    if model_config is None:
        there = pathlib.Path(model_dir) / "config.json"
        if there.is_file() and not start:
            return ModelSource(read_config(there), str(_vocabulary_beside(records)))
        what = (
            "A plain BERT gives a model its first weights; its family is said by"
            if start
            else "A new model needs"
        )
        raise InputError(
            f"{what} --model_config (a config.json; run_configs/ has"
            f" some){'' if start else ' or --pretrain_model_name_or_path'}"
        )
    path = _find_config(model_config)
    content = read_json_object(path)
    vocabulary = _vocabulary_beside(records)
    followed = {
        "text_seq_len": text_length,
        **(_sizes_of_records(records, content) if records else {}),
    }
    if start:
        start = find_model(start)
        vocabulary = model_files(start)[1]
        if not vocabulary.is_file():
            raise InputError(
                f"A BERT needs its vocab.txt beside its config. Not found: {vocabulary}"
            )
        sizes = {
            name: value
            for name, value in read_json_object(_bert_config(start)).items()
            if name in BERT_SIZES
        }
        other = [
            f"{name} {content[name]} there, {value} in BERT"
            for name, value in sizes.items()
            if name not in BERT_CHOICES and content.get(name, value) != value
        ]
        if other:
            raise InputError(
                f"--model_config={model_config} must have the sizes of the BERT it starts from, or"
                f" leave them out: {'; '.join(other)}"
            )
        followed |= sizes
    followed.setdefault("vocab_size", len(Vocabulary(vocabulary)))
    return ModelSource(
        config_from_dict({**followed, **content}, str(path)),
        str(vocabulary),
        find_checkpoint(start) if start else None,
    )


def model_to_use(checkpoint: str, model: str | None) -> ModelSource:
    """The model of evaluate and predict: weights of `checkpoint`, config and vocabulary of `model`
    (default: beside the weights).
    """
    weights = find_weights(checkpoint)
    if weights is None:
        raise InputError(
            "A checkpoint (a directory that holds one, or its prefix …/model.ckpt-N) is needed."
            f" None at: {checkpoint}"
        )
    return dataclasses.replace(existing_model(model or weights), start=weights)


def load_weights(model: tf.Module, weights: str) -> None:
    """Fills all of `model` from a checkpoint of this project, a TF1 one of the original, or a
    safetensors file.

    Raises: InputError if anything is missing.
    """
    _fill(model, weights, load_original_weights)


def load_start(model: tf.Module, weights: str) -> None:
    """Fills a model that is to be trained; from a TF1 checkpoint what it has, with a report of what
    begins new.
    """
    _fill(model, weights, start_from_original)


def _fill(
    model: tf.Module, weights: str, fill_from_original: Callable[[tf.Module, str], None]
) -> None:
    if weights.endswith(SAFETENSORS):
        fill(model, open_weights("safetensors", weights), weights)
    elif is_own_checkpoint(weights):
        load_own_checkpoint(model, weights)
    else:
        fill_from_original(model, weights)


def tasks_there(weights: str, config: ModelConfig) -> tuple[str, ...]:
    """The tasks of pre-training whose heads a model's weights hold."""
    every = FAMILIES[config.model_type].model.TASKS
    if weights.endswith(SAFETENSORS):
        tasks = open_weights("safetensors", weights).tasks
        return every if tasks is None else tasks
    return tasks_of_checkpoint(weights, every) if is_own_checkpoint(weights) else every


def _find_config(name: str) -> pathlib.Path:
    """The configs of this project are found from any working directory."""
    path = next((p for p in (pathlib.Path(name), ROOT / name) if p.is_file()), None)
    if path is None:
        raise InputError(f"--model_config: a config.json is needed. Not found: {name}")
    return path


def _vocabulary_beside(records: str | None) -> pathlib.Path:
    beside = (
        pathlib.Path(find_files(records)[0]).parent / "vocab.txt" if records else DEFAULT_VOCABULARY
    )
    return beside if beside.is_file() else DEFAULT_VOCABULARY


def _sizes_of_records(records: str, content: dict) -> dict:
    """What a config leaves open and the records decide."""
    files = find_files(records)
    dataset = declared_by(files)
    sizes = {"patch_feature_size": dataset["feature_size"]}
    layout = layout_of(dataset, files[0])
    if content.get("model_type") == FashionBertConfig.MODEL_TYPE and layout in GRIDS.values():
        sizes["max_patch_position_embeddings"] = layout.num_patches
    return sizes


def _is_plain_bert(path: str) -> bool:
    """Whether a model is Google's BERT rather than one of the families."""
    config = model_files(path)[0]
    if not config.is_file():
        return config.with_name(BERT_CONFIG).is_file()
    content = read_json_object(config)
    says_image = any(key.startswith(("patch_", "max_patch_", "img_", "box_")) for key in content)
    return content.get("model_type", "kaleidobert" if says_image else "bert") == "bert"


def _bert_config(path: str) -> pathlib.Path:
    config = model_files(path)[0]
    return config if config.is_file() else config.with_name(BERT_CONFIG)
