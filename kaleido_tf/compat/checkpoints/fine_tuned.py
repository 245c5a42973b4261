"""Fine-tuned models in checkpoints of any kind: whether there is a head of recognition, or what
completes outfits, and a model to hold it.
"""

import os
from collections.abc import Mapping

from kaleido_tf.compat.checkpoints.checkpoint_names import state_dict_of
from kaleido_tf.errors import InputError
from kaleido_tf.families import FAMILIES
from kaleido_tf.files.text_files import read_lines
from kaleido_tf.models.config import ModelConfig
from kaleido_tf.objectives.class_list import NAME, ClassList, read_class_list
from kaleido_tf.objectives.outfit_description import NAME as DESCRIPTION
from kaleido_tf.objectives.outfit_description import OutfitDescription, read_outfit_description
from kaleido_tf.objectives.recognition import NUM_CLASSES, Classifier
from kaleido_tf.objectives.recognition_config import RecognitionConfig

OWN_HEAD = "model/head/"
"""Where checkpoints of this project hold the head, whatever its task."""
_OWN_KERNELS = (f"{OWN_HEAD}kernel", f"{OWN_HEAD}logits/kernel")
"""Of a dense head, and of one that transforms before."""


def head_of(path: str, shapes: Mapping[str, tuple[int, ...]]) -> ClassList | None:
    """What the head tells apart that lies among the weights at `path`; None if there is none.

    Args: shapes: of the variables there, by their names.
    Returns: None also for a file with heads of several tasks beside which no class list says which
      of them is meant.
    Raises: InputError for a head whose task nothing says, or that is of another size than the class
      list beside it.
    """
    folder = os.path.dirname(path)
    listed = read_class_list(folder)
    found = _released_head(shapes, listed) or _other_head(shapes)
    if found is None:
        return None
    task, outputs = found
    task = task or (listed.task if listed else _task_of_run(folder))
    if task is None:
        raise InputError(
            f"{path} is fine-tuned for recognition, and its {NAME} or flags.cfg is needed, which"
            f" says of what. Neither in: {folder}"
        )
    if listed is None:
        return ClassList(task, "both", outputs)
    if (listed.task, listed.num_classes) != (task, outputs):
        raise InputError(
            f"{path} has a head of {task} with {outputs} classes. {folder}/{NAME} speaks of"
            f" {listed.task} with {listed.num_classes}"
        )
    return listed


def _released_head(
    shapes: Mapping[str, tuple[int, ...]], listed: ClassList | None
) -> tuple[str, int] | None:
    """(task, classes) of a head by the name that a release for PyTorch has for it."""
    for release in filter(None, map(state_dict_of, FAMILIES)):
        there = {task: shapes[key][0] for task, key in release.classifiers.items() if key in shapes}
        if listed and listed.task in there:
            return listed.task, there[listed.task]
        if len(there) == 1:
            ((task, outputs),) = there.items()
            any_task = listed and len(release.classifiers) == 1
            return listed.task if any_task else task, outputs
    return None


def _other_head(shapes: Mapping[str, tuple[int, ...]]) -> tuple[str | None, int] | None:
    """(task or None, classes) of a head of this project or of a release for TF1."""
    kernels = {f"{task}_dense/kernel": task for task in NUM_CLASSES}
    own = [name for name in shapes if name.startswith(_OWN_KERNELS)]
    name = next((name for name in (*kernels, *own) if name in shapes), None)
    return None if name is None else (kernels.get(name), shapes[name][-1])


def _task_of_run(folder: str) -> str | None:
    """What the flags of a run say; runs on rows left nothing else before there were class
    lists.
    """
    flags = os.path.join(folder, "flags.cfg")
    lines = read_lines(flags) if os.path.isfile(flags) else []
    return next((x.removeprefix("--task=") for x in lines if x.startswith("--task=")), None)


def classifier_for(config: ModelConfig, head: ClassList) -> Classifier:
    """A classifier to hold weights, which do not depend on the length of its texts."""
    length = min(config.text_seq_len, config.max_position_embeddings)
    settings = RecognitionConfig(modalities=head.modalities)
    return Classifier(config, head.task, head.num_classes, length, settings)


def outfits_of(path: str, config: ModelConfig | None) -> OutfitDescription | None:
    """What completes outfits by the weights at `path`, as the description beside them says; None
    without one. Raises: InputError for a broken one, or beside a family that completes none.
    """
    described = read_outfit_description(os.path.dirname(path))
    if described and config and FAMILIES[config.model_type].outfit_model is None:
        raise InputError(
            f"{path} is a {config.model_type}, which completes no outfits. Beside it lies"
            f" {DESCRIPTION}"
        )
    return described


def outfit_model_for(config: ModelConfig, described: OutfitDescription):
    """An `OutfitModel` with its weights made, to be filled."""
    model = FAMILIES[config.model_type].outfit_model(
        config, len(described.categories), described.vector_size, described.subspaces
    )
    _ = model.trainable_variables  # makes them
    return model
