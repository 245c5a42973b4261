"""The settings of recognition beside those of its run."""

import dataclasses

from kaleido_tf.settings import check_settings, setting

MODALITIES = ("both", "image", "text")


@dataclasses.dataclass(frozen=True)
class RecognitionConfig:
    """What a classifier sees, which of its weights are trained, and how classes are weighted."""

    modalities: str = setting(
        "both",
        "modalities",
        "What a classifier of records sees: both, the image alone, or the text alone. A trained one"
        " brings its own.",
        decisive=True,
        choices=MODALITIES,
    )
    freeze_encoder: bool = setting(
        False,
        "freeze_encoder",
        "Trains the head alone on an encoder that stays as it is, without dropout.",
        decisive=True,
    )
    class_weights: str = setting(
        "none",
        "class_weights",
        "Factors of the training examples' losses: none; balanced: n / (C * n_c) for a class with"
        " n_c of the n examples, so that each of the C classes counts as much.",
        decisive=True,
        choices=("none", "balanced"),
    )

    def __post_init__(self):
        check_settings(self)
