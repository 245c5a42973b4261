"""The table of the model families, by the `model_type` of their `config.json`.

A family is one folder (`models/<family>/`) and one row here; no other file asks which one a model
is of.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping

from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.errors import InputError
from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.models.config import ModelConfig
from kaleido_tf.models.fashion_bert import examples as fashion_examples
from kaleido_tf.models.fashion_bert import original as fashion_original
from kaleido_tf.models.fashion_bert.config import FashionBertConfig
from kaleido_tf.models.fashion_bert.model import FashionBert
from kaleido_tf.models.fashion_vil import examples as fashion_vil_examples
from kaleido_tf.models.fashion_vil import original as fashion_vil_original
from kaleido_tf.models.fashion_vil.config import FashionVilConfig
from kaleido_tf.models.fashion_vil.model import FashionVil
from kaleido_tf.models.fashion_vil.outfit_model import OutfitModel
from kaleido_tf.models.kaleido_bert import examples as kaleido_examples
from kaleido_tf.models.kaleido_bert import original as kaleido_original
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig
from kaleido_tf.models.kaleido_bert.model import KaleidoBert
from kaleido_tf.models.mvlt import examples as mvlt_examples
from kaleido_tf.models.mvlt import original as mvlt_original
from kaleido_tf.models.mvlt.config import MvltConfig
from kaleido_tf.models.mvlt.model import Mvlt
from kaleido_tf.models.original import Original
from kaleido_tf.records.record import GRIDS, KALEIDO, PIXELS, Layout
from kaleido_tf.text import Vocabulary


@dataclasses.dataclass(frozen=True)
class Family:
    """A family.

    Attributes:
      config: class of its `config.json`.
      model: its class, a `training.trainer.Trainable`: `model(config, tasks, text_length,
        loss_weights)` builds one, `model.check_settings(config, tasks, loss_weights)` refuses what
        it cannot be, `model.TASKS` names what is trained where nothing else is asked for,
        `model.TASK_LAYERS` the layers of tasks that are called otherwise, and `prepare(examples)`
        lets a new model look at its training examples before the first step. It may have a
        `CONTRAST_TASK`, and `FURTHER_TASKS` that are trained where they are asked for.
      open_examples: (pattern, settings, config, tasks, vocabulary) -> the examples that a run makes
        of the records at `pattern`.
      layouts: of the records that its models read; () for a family that reads others.
      layout: config -> the one of them that a model reads.
      original: how its release names variables and columns; None: no release is read.
      outfit_model: what completes outfits with a part of it (`OutfitModel`); None: nothing does.
      outfit_names: model of that class -> key of the release's state dict -> variable.
    """

    config: type[ModelConfig]
    model: type
    open_examples: Callable
    layouts: tuple[Layout, ...] = ()
    layout: Callable[[ModelConfig], Layout] | None = None
    original: Original | None = None
    outfit_model: type | None = None
    outfit_names: Callable | None = None


FAMILIES: dict[str, Family] = {
    KaleidoBertConfig.MODEL_TYPE: Family(
        KaleidoBertConfig,
        KaleidoBert,
        kaleido_examples.open_examples,
        (KALEIDO,),
        lambda config: KALEIDO,
        kaleido_original.ORIGINAL,
    ),
    FashionBertConfig.MODEL_TYPE: Family(
        FashionBertConfig,
        FashionBert,
        fashion_examples.open_examples,
        tuple(GRIDS.values()),
        fashion_examples.layout_of_config,
        fashion_original.ORIGINAL,
    ),
    MvltConfig.MODEL_TYPE: Family(
        MvltConfig,
        Mvlt,
        mvlt_examples.open_examples,
        (PIXELS,),
        lambda config: PIXELS,
        mvlt_original.ORIGINAL,
    ),
    FashionVilConfig.MODEL_TYPE: Family(
        FashionVilConfig,
        FashionVil,
        fashion_vil_examples.open_examples,
        (PIXELS,),
        lambda config: PIXELS,
        fashion_vil_original.ORIGINAL,
        outfit_model=OutfitModel,
        outfit_names=fashion_vil_original.outfit_names,
    ),
}
DEFAULT_TYPE = KaleidoBertConfig.MODEL_TYPE
"""What a `config.json` without `model_type` is, as the release's scripts take it."""


def build_model(
    config: ModelConfig,
    tasks: tuple[str, ...] | None,
    text_length: int,
    loss_weights: Mapping[str, float] | None = None,
):
    """A new model of the config's family.

    Args: tasks: None: all of the family's. loss_weights: as the model takes them.
    """
    return FAMILIES[config.model_type].model(config, tasks, text_length, loss_weights)


def check_settings(
    config: ModelConfig, tasks: tuple[str, ...] | None, loss_weights: Mapping[str, float] | None
) -> None:
    """Refuses what a model of the family cannot be, before anything is built or written.

    Raises: InputError naming the setting.
    """
    FAMILIES[config.model_type].model.check_settings(config, tasks, loss_weights)


def tasks_of(config: ModelConfig, tasks: tuple[str, ...] | None) -> tuple[str, ...]:
    """`tasks`, or all of the family's where None."""
    return FAMILIES[config.model_type].model.TASKS if tasks is None else tasks


def contrast_task(config: ModelConfig) -> str | None:
    """The task by which a model is fine-tuned to retrieve by its vectors; None for a family that
    ranks otherwise.
    """
    return getattr(FAMILIES[config.model_type].model, "CONTRAST_TASK", None)


def check_reads_patches(config: ModelConfig, what: str) -> None:
    """Raises: InputError for a model that reads pixels, which `what` cannot do yet."""
    layout = FAMILIES[config.model_type].layout
    if layout and layout(config).holds_pixels:
        raise InputError(
            f"{what} needs a model that reads patch features (kaleidobert, imagebert). Received: a"
            f" {config.model_type}, which reads pixels"
        )


def layers_of_tasks(model_type: str) -> dict[str, str]:
    """Task -> the layer that is in a checkpoint if the task is, mostly its head of that name."""
    model = FAMILIES[model_type].model
    tasks = (*model.TASKS, *getattr(model, "FURTHER_TASKS", ()))
    return {task: model.TASK_LAYERS.get(task, task) for task in tasks}


def read_examples(
    pattern: str,
    settings: ExamplesConfig,
    config: ModelConfig,
    tasks: tuple[str, ...] | None,
    vocabulary: Vocabulary,
):
    """The examples (`training.run.Examples`) that a run makes of the records at `pattern`.

    Raises: InputError for settings that the family has no use for.
    """
    family = FAMILIES[config.model_type]
    if settings.group_by_length and family.layout(config).holds_pixels:
        raise InputError(
            "--group_by_length is for families on patch features; others compute every place of a"
            f" text. Received: a model of type {config.model_type}"
        )
    return family.open_examples(pattern, settings, config, tasks_of(config, tasks), vocabulary)


def config_from_dict(content: dict, source: str = "config.json") -> ModelConfig:
    """The config of whichever family `model_type` names; without that key it is Kaleido-BERT's."""
    model_type = content.get("model_type", DEFAULT_TYPE)
    if not isinstance(model_type, str) or model_type not in FAMILIES:
        raise InputError(
            f"{source}: `model_type` must be one of {', '.join(FAMILIES)}. Received: {model_type!r}"
        )
    return FAMILIES[model_type].config.from_dict(content, source)


def read_config(path: str | pathlib.Path) -> ModelConfig:
    """Reads a `config.json`. Raises: InputError if it is missing, broken, or of no family."""
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"A model needs its config.json. Not found: {path}")
    return config_from_dict(read_json_object(path), str(path))
