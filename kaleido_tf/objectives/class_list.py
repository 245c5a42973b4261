"""`classes.json` beside a fine-tuned model: what its head tells apart."""

import dataclasses
import pathlib

from kaleido_tf.errors import InputError
from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.files.whole_files import write_json
from kaleido_tf.objectives.recognition_config import MODALITIES

NAME = "classes.json"


@dataclasses.dataclass(frozen=True)
class ClassList:
    """Args: task, modalities. num_classes: outputs of the head. names: of them, in their order;
    None: rows of the original, which know numbers alone. train_counts: how many training photos
    each had.
    """

    task: str
    modalities: str
    num_classes: int
    names: tuple[str, ...] | None = None
    train_counts: tuple[int, ...] | None = None

    def write(self, folder: pathlib.Path) -> None:
        """Writes it into `folder`."""
        content = {"task": self.task, "modalities": self.modalities}
        if self.names is None:
            content["num_classes"] = self.num_classes
        else:
            content["classes"] = dict(zip(self.names, self.train_counts))
        write_json(folder / NAME, content)


def read_class_list(folder: str | pathlib.Path) -> ClassList | None:
    """The class list in a model's folder; None if there is none. Raises: InputError for a broken
    one.
    """
    path = pathlib.Path(folder) / NAME
    if not path.is_file():
        return None
    content = read_json_object(path)
    task, modalities = content.get("task"), content.get("modalities")
    classes, count = content.get("classes"), content.get("num_classes")
    if not isinstance(task, str) or modalities not in MODALITIES:
        raise InputError(
            f"{path}: `task` and `modalities` ({', '.join(MODALITIES)}) are needed. Received:"
            f" {task!r}, {modalities!r}"
        )
    if classes is None and isinstance(count, int) and count > 1:
        return ClassList(task, modalities, count)
    counts = list(classes.values()) if isinstance(classes, dict) else []
    if len(counts) < 2 or not all(isinstance(value, int) for value in counts):
        raise InputError(
            f"{path}: `classes`, an object of at least two names with the numbers of their training"
            f" photos, is needed. Received: {str(classes)[:60]}"
        )
    return ClassList(task, modalities, len(classes), tuple(classes), tuple(counts))
