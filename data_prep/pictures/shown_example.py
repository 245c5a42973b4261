"""One training example of Kaleido-BERT as a person can look at it: what was drawn for it, instead
of features.

The example is made by the very function that training maps over its rows; here its outputs are only
read back.
"""

import dataclasses

import numpy as np

from kaleido_tf import patches
from kaleido_tf.data.pipeline import RecordExamples, read_row
from kaleido_tf.data.sampling import DrawnExample, row_seed
from kaleido_tf.models.kaleido_bert.examples import draw_donor_patch
from kaleido_tf.text import Vocabulary

KEPT, MASKED, RANDOM, UNCHANGED = "kept", "masked", "random", "unchanged"
"""What masked language modelling did to a place; all but `kept` are to be predicted."""


@dataclasses.dataclass(frozen=True)
class ShownToken:
    """A place of the text: the word piece that the model reads, the true one, and what was done."""

    shown: str
    true: str
    change: str


@dataclasses.dataclass(frozen=True)
class ShownExample:
    """What the model reads of one example.

    Attributes:
      drawn: where the example stands and which records it is made of. epoch: from 0.
      tokens: the used places, [CLS] and [SEP] included.
      quarter_turns: of level 1, counter-clockwise, 0 to 3.
      jigsaw: for each place of level 2, which patch of the level (0 to 3) lies there.
      camouflaged: place within level 3 (0 to 8) that shows a patch of the donor; None: none.
      donor_patch: that patch, among the donor's 55.
      grey, blank: places within level 4 (0 to 15) and level 5 (0 to 24).
    """

    drawn: DrawnExample
    epoch: int
    tokens: tuple[ShownToken, ...]
    quarter_turns: int
    jigsaw: tuple[int, ...]
    camouflaged: int | None
    donor_patch: int
    grey: tuple[int, ...]
    blank: tuple[int, ...]


def find_example(examples: RecordExamples, image_id: str, epoch: int | None = None) -> DrawnExample:
    """The example in which training shows an image in `epoch`; None: in the first epoch that shows
    it with its own text.
    """
    shown = examples.training_order().examples_of(image_id, start=(epoch or 0) * len(examples))
    # Every second example is matched, so that one comes after few epochs.
    return next(drawn for drawn in shown if drawn.matched or epoch is not None)


def shown_example(
    examples: RecordExamples, drawn: DrawnExample, vocabulary: Vocabulary
) -> ShownExample:
    """Makes one example as `examples.training_batches` does, and reads back what was drawn. Tasks
    that are off change nothing.
    """
    row = read_row(examples.table, drawn)
    made = {name: value.numpy() for name, value in examples.make_example(row).items()}
    jigsaw = patches.JIGSAW_PERMUTATIONS[made.get("jigsaw_label", 0)]  # row 0 leaves all in place
    return ShownExample(
        drawn=drawn,
        epoch=drawn.position // len(examples),
        tokens=shown_tokens(made, vocabulary),
        quarter_turns=int(made.get("rotation_label", 0)),
        jigsaw=tuple(jigsaw.tolist()),
        camouflaged=int(made["camouflage_label"]) if "camouflage_label" in made else None,
        donor_patch=int(draw_donor_patch(row_seed(row, examples.config.seed))),
        grey=_places(made, "grey_to_color"),
        blank=_places(made, "blank_to_color"),
    )


def _places(made: dict, level: str) -> tuple[int, ...]:
    return tuple(made.get(f"{level}_positions", np.empty([0], np.int32)).tolist())


def shown_tokens(made: dict, vocabulary: Vocabulary) -> tuple[ShownToken, ...]:
    """The used places of an example's text. Args: made: the arrays of `make_example`."""
    used = made["masked_lm_weights"] > 0
    true_ids = dict(
        zip(made["masked_lm_positions"][used].tolist(), made["masked_lm_ids"][used].tolist())
    )
    tokens = []
    for place, shown in enumerate(made["input_ids"][made["input_mask"] > 0].tolist()):
        true = true_ids.get(place, shown)
        change = (
            KEPT
            if place not in true_ids
            else MASKED
            if shown == vocabulary.mask_id
            else UNCHANGED
            if shown == true
            else RANDOM
        )
        tokens.append(ShownToken(vocabulary.tokens[shown], vocabulary.tokens[true], change))
    return tuple(tokens)
