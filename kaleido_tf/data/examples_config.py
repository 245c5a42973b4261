"""The settings that decide which training examples are made of a set of records."""

import dataclasses

from kaleido_tf.settings import check_settings, seed_setting, setting


@dataclasses.dataclass(frozen=True)
class ExamplesConfig:
    """How texts are cut, paired and masked, and photos cut, mirrored and masked; see
    data/sampling.py, data/token_masking.py and data/photos.py.
    """

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
        "Share of word pieces that are masked; at most ten, of MVLT any number.",
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
        " there were none; independent: each word piece by itself, as MVLT's release, so that a"
        " text may lose more or none.",
        decisive=True,
        choices=("aligned", "random", "independent"),
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
    group_by_length: bool = setting(
        False,
        "group_by_length",
        "Makes training batches of texts of like length, each cut where its longest text ends, so"
        " that less padding is computed (families on patch features).",
        decisive=True,
    )
    image_mask_cell: int = setting(
        16,
        "image_mask_cell",
        "Pixels a side of the cells in which photos are masked (MVLT).",
        decisive=True,
        lowest=1,
    )
    image_mask_share: float = setting(
        0.5,
        "image_mask_share",
        "Share of a photo's cells that are masked (MVLT).",
        decisive=True,
        lowest=0,
        largest=1,
    )
    image_mask: str = setting(
        "exact",
        "image_mask",
        "exact: of every photo that share; release: as MVLT's code draws it, so that the share"
        " varies and rows resemble each other (docs/departures.md).",
        decisive=True,
        choices=("exact", "release"),
    )
    mirror_probability: float = setting(
        0.0,
        "mirror_probability",
        "How often left and right of a training photo are exchanged (families that read pixels).",
        decisive=True,
        lowest=0,
        largest=1,
    )
    pseudo_attributes: str | None = setting(
        None,
        "pseudo_attributes",
        "File of data_prep.write_pseudo_attributes, which FashionViL's classification of them (pac)"
        " needs.",
    )
    patch_tokenizer: str | None = setting(
        None,
        "patch_tokenizer",
        "Folder of data_prep.train_vq_tokens, or the release's file: what tells FashionViL's masked"
        " patches apart (mpfc); a model that exists already brings its own.",
    )
    seed: int = seed_setting()

    def __post_init__(self):
        check_settings(self)
