"""What an evaluation of recognition leaves: `recognition.json`, `confusion.png`, and a few lines.

E = evaluated examples, C = classes that the model knows, L = C and the unseen ones.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Sequence

import numpy as np

from kaleido_tf.evaluation.classification import (
    class_scores,
    confusion_counts,
    f1_figures,
    macro_f1,
    macro_f1_of_those_met,
)
from kaleido_tf.evaluation.confusion_picture import draw_confusion
from kaleido_tf.evaluation.rank_metrics import wilson_interval
from kaleido_tf.evaluation.recognition_yardstick import Yardstick
from kaleido_tf.evaluation.result_files import RECOGNITION
from kaleido_tf.evaluation.verdict import Verdict, compare, interval_of
from kaleido_tf.files.whole_files import write_json

RESULT, PICTURE = RECOGNITION, "confusion.png"
_LISTED = 10
"""Unseen classes that a line names before it only counts."""


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """The examples of an evaluation.

    Attributes:
      labels: [E] int, below C or (of the unseen) below L. products: [E] whose photos they are.
      names: of the L classes. train_counts: of the C, how many training examples they had.
    """

    labels: np.ndarray
    products: Sequence[str]
    names: tuple[str, ...]
    train_counts: tuple[int, ...]

    @property
    def unseen(self) -> dict[str, int]:
        """Examples of the classes that training did not see, by name."""
        known = len(self.train_counts)
        counts = np.bincount(self.labels, minlength=len(self.names))
        return {name: int(n) for name, n in zip(self.names[known:], counts[known:])}

    def macro_f1_of(self, predictions: np.ndarray) -> Callable[[np.ndarray], float]:
        """Macro-F1 of the examples with these numbers."""
        return lambda n: macro_f1(self.labels[n], predictions[n], len(self.names))

    def figures_of(self, predictions: np.ndarray) -> dict[str, float]:
        """Accuracy and F1 scores of [E] predictions."""
        counts = confusion_counts(self.labels, predictions, len(self.names))
        scores = f1_figures(counts, absent_classes=False)
        met = macro_f1_of_those_met(counts)
        return {"accuracy": scores["micro_f1"], **scores, "macro_f1_scikit_learn": met}


def unseen_note(evaluated: Evaluated) -> list[str]:
    """A line that names the unseen classes; none where there are none."""
    unseen = evaluated.unseen
    if not unseen:
        return []
    named = ", ".join(f"{name} ({count})" for name, count in list(unseen.items())[:_LISTED])
    more = f" and {len(unseen) - _LISTED} more" if len(unseen) > _LISTED else ""
    classes = "class" if len(unseen) == 1 else "classes"
    return [
        f"{len(unseen)} {classes} that training never saw, whose examples count as wrong:"
        f" {named}{more}"
    ]


def yardstick_line(evaluated: Evaluated, yardstick: Yardstick) -> str:
    """The yardstick's figures."""
    figures = evaluated.figures_of(yardstick.predictions)
    return (
        f"yardstick, nearest neighbours on the backbone's features ({yardstick.vote}): accuracy"
        f" {figures['accuracy']:.4f}, macro-F1 {figures['macro_f1']:.4f}"
    )


def judge(evaluated: Evaluated, yardstick: Yardstick, predictions: np.ndarray) -> Verdict:
    """Whether the model's macro-F1 is better than the yardstick's."""
    both = map(evaluated.macro_f1_of, (yardstick.predictions, predictions))
    return compare("macro-F1", *both, evaluated.products)


def recognition_content(
    evaluated: Evaluated,
    predictions: np.ndarray,
    yardstick: Yardstick | None,
    verdict: Verdict | None,
    settings: dict,
) -> dict:
    """What `recognition.json` holds. Args: predictions: [E] int. settings: task and the like."""
    names, count = evaluated.names, len(evaluated.labels)
    counts = confusion_counts(evaluated.labels, predictions, len(names))
    figures = evaluated.figures_of(predictions)
    content = {
        **settings,
        "examples": count,
        "products": len(set(evaluated.products)),
        **figures,
        "interval_95": {
            "accuracy": list(wilson_interval(figures["accuracy"] * count, count)),
            "macro_f1": list(interval_of(evaluated.macro_f1_of(predictions), evaluated.products)),
        },
        "macro_f1_averages": "the classes with an example here",
        "classes": _classes(evaluated, counts),
        "unseen_classes": evaluated.unseen,
        "confusion": {"names": list(names), "counts": counts.tolist()},
        "yardstick": None,
        "verdict": verdict.content() if verdict else None,
    }
    if yardstick is not None:
        vote = dataclasses.asdict(yardstick.vote)
        content["yardstick"] = {**vote, **evaluated.figures_of(yardstick.predictions)}
    return content


def _classes(evaluated: Evaluated, counts: np.ndarray) -> dict[str, dict]:
    scores = class_scores(counts)
    trained = dict(zip(evaluated.names, evaluated.train_counts))
    return {
        name: {
            **{key: float(scores[key][number]) for key in ("precision", "recall", "f1")},
            "support": int(scores["support"][number]),
            "train": trained.get(name, 0),
        }
        for number, name in enumerate(evaluated.names)
    }


def write_report(folder: pathlib.Path, content: dict) -> None:
    """Writes `recognition.json` and `confusion.png`. Raises: InputError if the disk refuses."""
    folder.mkdir(parents=True, exist_ok=True)
    confusion = content["confusion"]
    draw_confusion(folder / PICTURE, np.array(confusion["counts"]), confusion["names"])
    write_json(folder / RESULT, content)


def summary(content: dict) -> str:
    """The figures in a line."""
    accuracy, f1 = (content["interval_95"][name] for name in ("accuracy", "macro_f1"))
    return (
        f"{content['task']}: {content['examples']} examples, accuracy {content['accuracy']:.4f}"
        f" (95% {accuracy[0]:.4f} to {accuracy[1]:.4f}), macro-F1 {content['macro_f1']:.4f}"
        f" (95% {f1[0]:.4f} to {f1[1]:.4f})"
    )
