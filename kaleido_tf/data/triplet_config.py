"""The settings of text-guided image retrieval beside those of its run."""

import dataclasses

from kaleido_tf.settings import check_settings, setting

_FORM = "a folder of FashionIQ, or files of triplets (FashionIQ's, JSON lines) with commas"


@dataclasses.dataclass(frozen=True)
class TripletConfig:
    """Which triplets are learnt, evaluated and answered, and how photos are cut in training."""

    train_triplets: str | None = setting(
        None, "train_triplets", f"Triplets to train on: {_FORM} between."
    )
    eval_triplets: str | None = setting(
        None, "eval_triplets", f"Triplets to evaluate on: {_FORM} between."
    )
    predict_triplets: str | None = setting(
        None, "predict_triplets", f"Triplets that --mode=predict answers: {_FORM} between."
    )
    train_split: str = setting(
        "train",
        "train_split",
        "Of --train_triplets, where rows say their `split` or the files of a folder do.",
    )
    eval_split: str = setting(
        "valid",
        "eval_split",
        "Of --eval_triplets and --predict_triplets, as --train_split; FashionIQ's val is meant by"
        " valid, too.",
    )
    smallest_cut: float = setting(
        0.8,
        "smallest_cut",
        "Training shows parts of photos (--task=text_guided_retrieval): the share of the photo's"
        " area that they have at least; 1: all of it.",
        decisive=True,
        above=0,
        largest=1,
    )
    mirror_probability: float = setting(
        0.5,
        "mirror_probability",
        "How often left and right of a training photo are exchanged.",
        decisive=True,
        lowest=0,
        largest=1,
    )

    wrong_references: bool = setting(
        False,
        "wrong_references",
        "Training holds queries against the batch's reference photos, too, which are wrong answers;"
        " the release against its targets alone.",
        decisive=True,
    )

    def __post_init__(self):
        check_settings(self)
