"""The settings of text-guided image retrieval beside those of its run."""

import dataclasses

from kaleido_tf.data.parts_config import PartsConfig
from kaleido_tf.settings import setting

_FORM = "a folder of FashionIQ, or files of triplets (FashionIQ's, JSON lines) with commas"


@dataclasses.dataclass(frozen=True)
class TripletConfig(PartsConfig):
    """Which triplets are learnt, evaluated and answered, beside what training shows of the
    photos.
    """

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
    wrong_references: bool = setting(
        False,
        "wrong_references",
        "Training holds queries against the batch's reference photos, too, which are wrong answers;"
        " the release against its targets alone.",
        decisive=True,
    )
