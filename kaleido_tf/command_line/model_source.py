"""Which model a command means: its config, its vocabulary and its weights, from a path, a known
name or nothing.
"""

import dataclasses
import pathlib

from kaleido_tf.command_line.plain_bert import (
    check_sizes,
    is_plain_bert,
    sizes_of_bert,
    weights_of_bert,
)
from kaleido_tf.command_line.sizes_of_records import (
    family_of,
    sizes_of_records,
    type_of_records,
    vocabulary_beside,
)
from kaleido_tf.command_line.start_flags import IMAGE_START_FLAG
from kaleido_tf.compat.checkpoints.checkpoint_names import state_dict_of
from kaleido_tf.compat.checkpoints.model_names import find_model
from kaleido_tf.compat.checkpoints.starting import open_start
from kaleido_tf.compat.checkpoints.state_dict import has_state_dict, is_image_network
from kaleido_tf.compat.checkpoints.weights import TORCH, find_weights, kind_of, open_weights
from kaleido_tf.errors import InputError
from kaleido_tf.families import FAMILIES, config_from_dict, layers_of_tasks, read_config
from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.models.config import ModelConfig
from kaleido_tf.text import Vocabulary
from kaleido_tf.training.checkpoints import model_files, tasks_of_checkpoint

ROOT = pathlib.Path(__file__).parents[2]


@dataclasses.dataclass(frozen=True)
class ModelSource:
    """A model: its config, the path of its vocabulary, the checkpoint that its weights begin
    with (None: random), and that of its image encoder, where it is another.
    """

    config: ModelConfig
    vocabulary: str
    start: str | None = None
    image_start: str | None = None

    @property
    def starts(self) -> tuple[str, ...]:
        """What its weights begin with, as `load_start` takes it; () for random ones."""
        return tuple(path for path in (self.start, self.image_start) if path is not None)


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
    image_start: str | None = None,
) -> ModelSource:
    """The model of a training run.

    Args:
      start: --pretrain_model_name_or_path; a model of a family is trained on as it is, a plain BERT
        gives a new model its sizes and first weights, a state dict without a config.json beside it
        first weights alone.
      model_config: path of the config.json of a new model; None with a plain BERT: the defaults of
        the family that reads the records.
      records: --train_input_fp where it holds records, whose patches, feature size and vocabulary a
        new model follows.
      image_start: --image_encoder_weights, for a new model's image encoder.
    """
    if image_start is not None:
        return _with_image_start(start, model_config, records, text_length, image_start)
    bert = find_model(start) if start else None
    if bert and not is_plain_bert(bert):
        state = _lone_state_dict(bert)
        if state:
            return _model_on_state(state, model_config, records, text_length)
        source = existing_model(start)
        if source.start is None:
            raise InputError(
                f"--pretrain_model_name_or_path={start} holds no checkpoint (model.ckpt.index and"
                " .data files). A new model with random weights needs --model_config instead"
            )
        if model_config:
            print(
                f"--model_config={model_config} is not used: it is for new models, and {start}"
                " brings its own config.json"
            )
        return source
    if model_config is None and bert is None:
        there = pathlib.Path(model_dir) / "config.json"
        if there.is_file():
            kept = there.with_name("vocab.txt")
            vocabulary = kept if kept.is_file() else vocabulary_beside(records)
            return ModelSource(read_config(there), str(vocabulary))
        raise InputError(
            "A new model needs --model_config (a config.json; run_configs/ has some) or"
            " --pretrain_model_name_or_path"
        )
    return _new_model(bert, model_config, records, text_length)


def _lone_state_dict(path: str) -> str | None:
    """The state dict at `path` that makes no model by itself: one without a config.json beside it,
    or of an image network; None for anything else.
    """
    weights = find_weights(path)
    if weights is None or not has_state_dict(weights):
        return None
    has_config = model_files(weights)[0].is_file()
    return None if has_config and not is_image_network(weights) else weights


def _model_on_state(
    state: str, model_config: str | None, records: str | None, text_length: int
) -> ModelSource:
    """A new model of `model_config` that starts from the state dict at `state`, as far as it goes.

    Raises: InputError where the model's family has none, or the model is of another size.
    """
    if model_config is None:
        raise InputError(
            f"--pretrain_model_name_or_path={state} needs --model_config (a config.json): there is"
            " none beside it that would say what else the new model has"
        )
    source = _new_model(None, model_config, records, text_length)
    if state_dict_of(source.config.model_type) is None:
        raise InputError(
            f"--pretrain_model_name_or_path={state} holds the weights of modules of PyTorch, from"
            f" which no model of type {source.config.model_type} starts (--model_config="
            f"{model_config})"
        )
    open_start(source.config, state)
    return dataclasses.replace(source, start=state)


def _with_image_start(
    start: str | None,
    model_config: str | None,
    records: str | None,
    text_length: int,
    image_start: str,
) -> ModelSource:
    """A new model whose image encoder begins with `image_start`, and its text side perhaps with a
    plain BERT.

    Raises: InputError for a model that brings its image encoder, a family that has none of its
      own, and weights that do not fit.
    """
    bert = find_model(start) if start else None
    if model_config is None or (bert and not is_plain_bert(bert)):
        raise InputError(
            f"--{IMAGE_START_FLAG}={image_start} is for a new model: --model_config is needed, and"
            " --pretrain_model_name_or_path may name a BERT of texts alone. Received:"
            f" --model_config={model_config}, --pretrain_model_name_or_path={start}"
        )
    weights = find_weights(image_start)
    if weights is None or not has_state_dict(weights):
        raise InputError(
            f"--{IMAGE_START_FLAG} must be a .pth or .safetensors file of a ResNet of torchvision"
            f" or of a FashionViL. Received: {image_start}"
        )
    source = _new_model(bert, model_config, records, text_length)
    release = state_dict_of(source.config.model_type)
    if release is None or not release.starts_from_two:
        raise InputError(
            f"--{IMAGE_START_FLAG} needs a model whose image encoder is a network of its own"
            f" (fashion_vil). Received: a {source.config.model_type}"
        )
    source = dataclasses.replace(source, image_start=weights)
    open_start(source.config, *source.starts)
    return source


def with_dropout(source: ModelSource, dropout: float | None) -> ModelSource:
    """A model whose layers and attention, where that has any, drop a share of `dropout`; None: the
    same model.

    Raises: InputError for a family whose config does not say any.
    """
    if dropout is None:
        return source
    if not hasattr(source.config, "hidden_dropout_prob"):
        raise InputError(
            "--dropout needs a model with `hidden_dropout_prob` in its config.json. Received: a"
            f" {source.config.model_type}"
        )
    names = ("hidden_dropout_prob", "attention_probs_dropout_prob")
    rates = {name: dropout for name in names if hasattr(source.config, name)}
    return dataclasses.replace(source, config=dataclasses.replace(source.config, **rates))


def _new_model(
    bert: str | None, model_config: str | None, records: str | None, text_length: int
) -> ModelSource:
    """A model of `model_config`; what that leaves open follows the records and the plain BERT, if
    there is one, at the path `bert`.
    """
    path = _find_config(model_config) if model_config else None
    content = read_json_object(path) if path else {"model_type": type_of_records(records)}
    follows = {"text_seq_len": text_length}
    follows |= sizes_of_records(records, content) if records else {}
    vocabulary, start = vocabulary_beside(records), None
    if bert:
        start, vocabulary = weights_of_bert(bert), _vocabulary_of_bert(bert)
        sizes = sizes_of_bert(start)
        check_sizes({**family_of(content).config.ALWAYS, **content}, model_config, sizes)
        follows |= sizes
    follows.setdefault("vocab_size", len(Vocabulary(vocabulary)))
    config_class = family_of(content).config
    known = {field.name for field in dataclasses.fields(config_class)}
    follows = {key: value for key, value in follows.items() if key in known}
    if path:
        config = config_from_dict({**follows, **content}, str(path))
    else:
        config = config_class(**follows)
        print(f"no --model_config: a new {config.model_type} with the sizes of {start}")
    return ModelSource(config, str(vocabulary), start)


def _vocabulary_of_bert(bert: str) -> pathlib.Path:
    vocabulary = model_files(bert)[1]
    if not vocabulary.is_file():
        raise InputError(f"A BERT needs its vocab.txt beside its config. Not found: {vocabulary}")
    return vocabulary


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


def tasks_there(weights: str, config: ModelConfig) -> tuple[str, ...]:
    """The tasks of pre-training whose heads a model's weights hold."""
    every, kind = FAMILIES[config.model_type].model.TASKS, kind_of(weights)
    if kind == "own":
        return tasks_of_checkpoint(weights, layers_of_tasks(config.model_type))
    tasks = open_weights(weights).tasks if kind in ("safetensors", TORCH) else None
    return every if tasks is None else tasks


def _find_config(name: str) -> pathlib.Path:
    """The configs of this project are found from any working directory."""
    path = next((p for p in (pathlib.Path(name), ROOT / name) if p.is_file()), None)
    if path is None:
        raise InputError(f"--model_config: a config.json is needed. Not found: {name}")
    return path
