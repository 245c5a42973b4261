"""Heads of recognition in checkpoints of any kind: whether there is one, and a model to hold it."""

import os
from collections.abc import Mapping

from kaleido_tf.compat.checkpoints.checkpoint_names import state_dict_of
from kaleido_tf.errors import InputError
from kaleido_tf.families import FAMILIES
from kaleido_tf.files.text_files import read_lines
from kaleido_tf.models.config import ModelConfig
from kaleido_tf.objectives.class_list import NAME, ClassList, read_class_list
from kaleido_tf.objectives.recognition import NUM_CLASSES, Classifier
from kaleido_tf.objectives.recognition_config import RecognitionConfig

OWN_HEAD = "model/head/"
"""Where checkpoints of this project hold the head, whatever its task."""
_OWN_KERNELS = (f"{OWN_HEAD}kernel", f"{OWN_HEAD}logits/kernel")
"""Of a dense head, and of one that transforms before."""


def head_of(path: str, shapes: Mapping[str, tuple[int, ...]]) -> ClassList | None:
    """What the head tells apart that lies among the weights at `path`; None if there is none.

    Args: shapes: of the variables there, by their names.
    Raises: InputError for a head whose task nothing says, or that is of another size than the class
      list beside it.
    """
    kernels = {f"{task}_dense/kernel": task for task in NUM_CLASSES}
    own = [name for name in shapes if name.startswith(_OWN_KERNELS)]
    released = {
        release.classifier: release.recognises
        for release in map(state_dict_of, FAMILIES)
        if release is not None and release.classifier
    }
    name = next((name for name in (*kernels, *released, *own) if name in shapes), None)
    if name is None:
        return None
    folder, outputs = os.path.dirname(path), shapes[name][0 if name in released else -1]
    listed = read_class_list(folder)
    task = kernels.get(name) or (listed.task if listed else _task_of_run(folder))
    task = task or released.get(name)
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
