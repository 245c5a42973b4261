"""The records of a recognition run: opened, with the names of their classes."""

import dataclasses

import numpy as np

from kaleido_tf.command_line.session import Session
from kaleido_tf.data.class_labels import class_names, counted_classes, labels_of
from kaleido_tf.data.labelled_examples import LabelledExamples
from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.evaluation.photo_views import Photos, photos_of
from kaleido_tf.evaluation.recognition_report import Evaluated
from kaleido_tf.evaluation.recognition_yardstick import Yardstick, measure_yardstick
from kaleido_tf.objectives.class_list import ClassList


@dataclasses.dataclass(frozen=True)
class LabelledRecords:
    """Records with their classes: the table, the examples that a run makes of it, of which each
    view of a photo is one, the photos, and what these are to an evaluation.
    """

    table: RecordTable
    examples: LabelledExamples
    photos: Photos
    evaluated: Evaluated

    @property
    def unseen(self) -> int:
        """Classes that training did not see."""
        return len(self.evaluated.unseen)

    @property
    def image_ids(self) -> np.ndarray:
        """Of the photos."""
        return self.table.image_ids[self.photos.plain]


def classes_of_training(table: RecordTable, pattern: str, task: str, modalities: str) -> ClassList:
    """The classes of the training photos. Raises: InputError as `counted_classes`."""
    counts = counted_classes(class_names(table, task)[photos_of(table).plain], pattern)
    return ClassList(task, modalities, len(counts), tuple(counts), tuple(counts.values()))


def labelled(table: RecordTable, classes: ClassList, session: Session) -> LabelledRecords:
    """Records under the classes of a model; their own `dataset.json` may list the names in any
    order. Raises: InputError as `class_names`.
    """
    labels, unseen = labels_of(class_names(table, classes.task), classes.names)
    names = (*classes.names, *unseen)
    photos, examples = photos_of(table), examples_of(table, labels, classes, session)
    products = table.product_ids[photos.plain]
    evaluated = Evaluated(labels[photos.plain], products, names, classes.train_counts)
    return LabelledRecords(table, examples, photos, evaluated)


def examples_of(
    table: RecordTable, labels: np.ndarray, classes: ClassList, session: Session
) -> LabelledExamples:
    """The examples of records with these labels [N]."""
    return LabelledExamples(
        table,
        labels,
        classes.modalities,
        session.vocabulary,
        session.run.seed,
        session.config.EMPTY_TEXT_PLACES or session.text_length,
    )


def yardstick_of(
    training: LabelledRecords, evaluated: LabelledRecords, classes: ClassList, session: Session
) -> Yardstick:
    """What nearest neighbours among the training photos predict of the evaluated ones."""
    # Training photos of classes that the model does not know are neighbours of no use.
    return measure_yardstick(
        training.table,
        evaluated.table,
        training.evaluated.labels,
        len(training.evaluated.names),
        classes.modalities,
        session.vocabulary,
        session.run.seed,
    )
