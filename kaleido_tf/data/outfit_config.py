"""The settings of outfit completion beside those of its run."""

import dataclasses

from kaleido_tf.data.parts_config import PartsConfig
from kaleido_tf.settings import setting


@dataclasses.dataclass(frozen=True)
class OutfitConfig(PartsConfig):
    """Which outfits are learnt and evaluated, and what the model is, beside what training shows of
    the photos.
    """

    train_outfits: str | None = setting(
        None,
        "train_outfits",
        "Outfits to train on: JSON lines with `items`, or Polyvore's `ocir_*.json`.",
    )
    eval_outfits: str | None = setting(
        None, "eval_outfits", "Outfits to evaluate on, as --train_outfits."
    )
    fill_in_blank: str | None = setting(
        None, "fill_in_blank", "Questions with a few answers each (`fill_in_blank_*.json`)."
    )
    compatibility: str | None = setting(
        None,
        "compatibility",
        "Outfits that belong together or do not (`compatibility_*.txt`: 1 or 0 and the items).",
    )
    item_metadata: str | None = setting(
        None,
        "item_metadata",
        "Polyvore's categories of the items (`polyvore_item_metadata.json`); without it the"
        " sub-categories of the records.",
    )
    train_split: str = setting(
        "train", "train_split", "Of --train_outfits, where rows say their `split`."
    )
    eval_split: str = setting(
        "valid", "eval_split", "Of --eval_outfits, where rows say their `split`."
    )
    pairs: str = setting(
        "anew",
        "outfit_pairs",
        "Which two items of an outfit a step shows: two that every epoch draws anew, or as in the"
        " `release` two that are drawn once and may be one item.",
        decisive=True,
        choices=("anew", "release"),
    )
    vector_size: int = setting(
        256, "outfit_vector_size", "Size of an item's vector.", decisive=True, lowest=1
    )
    subspaces: int = setting(
        5,
        "outfit_subspaces",
        "Subspaces that the two categories choose among (CSA-Net).",
        decisive=True,
        lowest=1,
    )
    trained_stages: str = setting(
        "all",
        "outfit_trained_stages",
        "Convolutions of the image encoder that are trained: all, all but the last stage as in the"
        " release, or none.",
        decisive=True,
        choices=("all", "release", "none"),
    )
