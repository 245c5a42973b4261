"""The settings of learning to rank from lists of candidates."""

import dataclasses

from kaleido_tf.settings import check_settings, setting


@dataclasses.dataclass(frozen=True)
class ListConfig:
    """How lists are drawn, and what of them a step does not see."""

    candidates: int = setting(
        16,
        "list_candidates",
        "Candidates of a list in --task=retrieval, the right one among them.",
        decisive=True,
        lowest=2,
    )
    hidden_words: float = setting(
        0.2,
        "hidden_words",
        "Share of a list's words that a step does not see (--task=retrieval).",
        decisive=True,
        lowest=0,
        largest=0.9,
    )
    hidden_features: float = setting(
        0.3,
        "hidden_features",
        "Share of the patches' feature values that a step does not see (--task=retrieval).",
        decisive=True,
        lowest=0,
        largest=0.9,
    )
    comparison_epochs: int = setting(
        40,
        "comparison_epochs",
        "Epochs of each comparison of words with patches that --task=retrieval trains.",
        decisive=True,
        lowest=1,
    )

    def __post_init__(self):
        check_settings(self)
