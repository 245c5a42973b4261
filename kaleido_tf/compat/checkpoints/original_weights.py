"""Fills our models from TF1 checkpoints of the originals: wholly, or as far as a start for training
goes.
"""

from kaleido_tf.compat.checkpoints.checkpoint_names import (
    OriginalVariable,
    classifier_variables,
    original_variables,
)
from kaleido_tf.compat.checkpoints.tf1_checkpoint import Tf1Checkpoint, is_optimizer_slot
from kaleido_tf.errors import InputError
from kaleido_tf.models.cross_modal import CrossModalBert
from kaleido_tf.objectives.recognition import Classifier

LISTED = 5
"""Names that a message shows before it only counts."""


def load_original_weights(model: CrossModalBert | Classifier, prefix: str) -> None:
    """Fills `model` from a TF1 checkpoint of the original; all or nothing.

    Optimizer slots and the step counter are left alone; other variables that the model does not
    have are reported.
    Raises: InputError listing what is missing or of another shape.
    """
    checkpoint = Tf1Checkpoint(prefix)
    wanted = (
        classifier_variables(model) if isinstance(model, Classifier) else original_variables(model)
    )
    _check_shapes(prefix, {name: (name, entry) for name, entry in wanted.items()}, checkpoint)
    for name, entry in wanted.items():
        entry.variable.assign(entry.to_ours(checkpoint.read(name)))
    _report_unused(prefix, set(wanted), checkpoint)


def start_from_original(model: CrossModalBert, prefix: str) -> None:
    """Fills what a TF1 checkpoint (Kaleido-BERT, FashionBERT or Google's BERT) has of `model`, and
    reports the rest.

    As in the original, names are compared below their first scope (`…_pre_trained_model/`), so that
    one family can start from another; what is not there keeps its random weights.
    Raises: InputError if a variable has another shape, or if there is nothing of the encoder at
      all.
    """
    checkpoint = Tf1Checkpoint(prefix)
    theirs = {_below_scope(name): name for name in checkpoint.shapes if not is_optimizer_slot(name)}
    wanted = original_variables(model)
    found = {
        name: (theirs[_below_scope(name)], entry)
        for name, entry in wanted.items()
        if _below_scope(name) in theirs
    }
    if not any("/encoder/" in name for name in found):
        raise InputError(
            "A start needs the encoder's weights under BERT's names (bert/encoder/layer_0/...)."
            f" {prefix} holds none of them"
        )
    _check_shapes(prefix, found, checkpoint)
    for name, entry in found.values():
        entry.variable.assign(entry.to_ours(checkpoint.read(name)))
    print(f"start: {len(found)} of {len(wanted)} variables from {prefix}")
    new = [_below_scope(name) for name in wanted if name not in found]
    if new:
        print(f"start: not in the checkpoint, so with random weights: {_listed(new)}")
    _report_unused(prefix, {name for name, _ in found.values()}, checkpoint)


def _check_shapes(
    prefix: str, found: dict[str, tuple[str, OriginalVariable]], checkpoint: Tf1Checkpoint
) -> None:
    wrong = [
        f"{name} needs {list(entry.original_shape)}, found"
        f" {list(checkpoint.shapes[name]) if name in checkpoint.shapes else 'nothing'}"
        for name, entry in found.values()
        if checkpoint.shapes.get(name) != entry.original_shape
    ]
    if wrong:
        raise InputError(
            f"{prefix} does not fit the model in {len(wrong)} variables:"
            f" {'; '.join(wrong[:LISTED])}"
        )


def _report_unused(prefix: str, used: set[str], checkpoint: Tf1Checkpoint) -> None:
    left = [name for name in checkpoint.shapes if name not in used]
    slots = [name for name in left if is_optimizer_slot(name)]
    unused = [name for name in left if name not in slots]
    if unused:
        print(f"{prefix}: not used: {_listed(unused)}")
    if len(slots) > 1:  # the step counter alone says nothing
        print(f"{prefix}: {len(slots)} variables of its optimizer are left alone")


def _below_scope(name: str) -> str:
    first, _, rest = name.partition("/")
    return rest if "pre_trained_model" in first else name


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(sorted(names)[:LISTED]) + more
