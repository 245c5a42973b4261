"""The settings that decide which training examples are made of a set of records."""

import dataclasses

from kaleido_tf.settings import check_settings, seed_setting, setting


@dataclasses.dataclass(frozen=True)
class ExamplesConfig:
    """How texts are cut, paired and masked; see data/sampling.py and data/token_masking.py."""

    text_length: int = setting(
        64,
        "input_sequence_length",
        "Text length in word pieces, [CLS] and [SEP] included; a model that exists already and rows"
        " bring their own.",
        decisive=True,
        lowest=3,
    )
    token_fraction: float = setting(
        0.15,
        "masked_lm_prob",
        "Share of word pieces that are masked, at most ten.",
        decisive=True,
        lowest=0,
        largest=1,
    )
    whole_words: bool = setting(
        False, "whole_word_masking", "Masks whole words instead of word pieces.", decisive=True
    )
    masking: str = setting(
        "aligned",
        "masking",
        "aligned: pairs of a word and a patch in the records first, of each one side; random: as if"
        " there were none.",
        decisive=True,
        choices=("aligned", "random"),
    )
    negatives: str = setting(
        "subcategory",
        "negatives",
        "Where mismatched texts come from; rising: from any product at first, more and more from"
        " the sub-category.",
        decisive=True,
        choices=("subcategory", "any", "rising"),
    )
    rise_epochs: float = setting(
        30.0,
        "negatives_rise_epochs",
        "Epochs until --negatives=rising draws from the sub-category only.",
        decisive=True,
        above=0,
    )
    seed: int = seed_setting()

    def __post_init__(self):
        check_settings(self)
