"""The table of the model families, by the `model_type` of their `config.json`."""

import dataclasses
import pathlib
from collections.abc import Callable

from kaleido_tf.data.pipeline import OrderConfig, RecordExamples
from kaleido_tf.data.record_table import RecordTable, read_record_table
from kaleido_tf.data.token_masking import MaskingConfig
from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import find_files
from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.models.config import ModelConfig
from kaleido_tf.models.cross_modal import CrossModalBert
from kaleido_tf.models.fashion_bert import examples as grid_examples
from kaleido_tf.models.fashion_bert.config import FashionBertConfig
from kaleido_tf.models.fashion_bert.model import FashionBert
from kaleido_tf.models.kaleido_bert import examples as kaleido_examples
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig
from kaleido_tf.models.kaleido_bert.model import KaleidoBert
from kaleido_tf.records.record import KALEIDO, Layout
from kaleido_tf.text import Vocabulary
from kaleido_tf.training.run_config import RunConfig


@dataclasses.dataclass(frozen=True)
class Family:
    """A family.

    Attributes:
      model: its class; `model(config, tasks, text_length)` builds it.
      layout: config -> the layout of the records that its models read.
      example_maker: (config, tasks, vocabulary, masking, seed) -> function of a row of the
        pipeline.
      max_tokens: config -> most word pieces that are masked.
    """

    model: type[CrossModalBert]
    layout: Callable[[ModelConfig], Layout]
    example_maker: Callable
    max_tokens: Callable[[ModelConfig], int]


FAMILIES = {
    KaleidoBertConfig.MODEL_TYPE: Family(
        KaleidoBert,
        lambda config: KALEIDO,
        kaleido_examples.example_maker,
        lambda config: MaskingConfig.max_tokens,
    ),
    FashionBertConfig.MODEL_TYPE: Family(
        FashionBert,
        grid_examples.layout_of,
        grid_examples.example_maker,
        lambda config: config.masked_text_token_num,
    ),
}


def build_model(
    config: ModelConfig, tasks: tuple[str, ...] | None, text_length: int
) -> CrossModalBert:
    """A new model of the config's family. `tasks` None: all of the family's."""
    return FAMILIES[config.model_type].model(config, tasks, text_length)


def read_table(
    pattern: str, config: ModelConfig, vocabulary: Vocabulary, text_length: int
) -> RecordTable:
    """The records that a `*_input_fp` flag names, checked against the model that is to read them.

    Raises: InputError for records of another layout, feature size or vocabulary.
    """
    table = read_record_table(
        find_files(pattern), vocabulary, text_length, config.patch_feature_size
    )
    needed = FAMILIES[config.model_type].layout(config)
    if table.layout != needed:
        raise InputError(
            f"A model of type {config.model_type} needs records of layout {needed.name}. {pattern}"
            f" holds {table.layout.name}"
        )
    return table


def read_examples(pattern: str, run: RunConfig, config: ModelConfig) -> RecordExamples:
    """The training examples that a run makes of the records at `pattern`."""
    family, vocabulary = FAMILIES[config.model_type], Vocabulary(run.vocabulary)
    table = read_table(pattern, config, vocabulary, run.text_length)
    masking = MaskingConfig(
        run.token_fraction, family.max_tokens(config), run.whole_words, run.masking == "aligned"
    )
    tasks = family.model.TASKS if run.tasks is None else run.tasks
    make_example = family.example_maker(config, tasks, vocabulary, masking, run.seed)
    return RecordExamples(
        table, make_example, OrderConfig(run.negatives, run.rise_epochs, run.seed)
    )


CONFIGS = {config.MODEL_TYPE: config for config in (KaleidoBertConfig, FashionBertConfig)}
"""Config class by `model_type`."""


def config_from_dict(content: dict, source: str = "config.json") -> ModelConfig:
    """The config of whichever family `model_type` names; without that key it is Kaleido-BERT's."""
    model_type = content.get("model_type", KaleidoBertConfig.MODEL_TYPE)
    if model_type not in CONFIGS:
        raise InputError(
            f"{source}: `model_type` must be one of {', '.join(CONFIGS)}. Received: {model_type!r}"
        )
    return CONFIGS[model_type].from_dict(content, source)


def read_config(path: str | pathlib.Path) -> ModelConfig:
    """Reads a `config.json`. Raises: InputError if it is missing, broken, or of no family."""
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"A model needs its config.json. Not found: {path}")
    return config_from_dict(read_json_object(path), str(path))
