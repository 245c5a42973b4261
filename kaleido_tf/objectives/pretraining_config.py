"""The settings of pre-training beside those of its run and its examples."""

import dataclasses

from kaleido_tf.settings import check_settings, setting


@dataclasses.dataclass(frozen=True)
class PretrainingConfig:
    """What is pre-trained beside masked language and matching, and how a new model begins."""

    tasks: tuple[str, ...] | None = setting(
        None,
        "kaleido_tasks",
        "Tasks to train beside masked language and matching: of Kaleido-BERT rotation, jigsaw,"
        " camouflage, grey_to_color, blank_to_color; of FashionBERT and MVLT image; empty: none."
        " Of FashionViL whatever it is trained on: itm, pac, itc, icc, mlm, mpfc, mpfr. Default:"
        " all that the family has (FashionViL: all but mpfr).",
        decisive=True,
    )
    matching_weight: float = setting(
        1.0,
        "matching_weight",
        "Factor of the matching loss; 1 is the paper's plain sum.",
        decisive=True,
        lowest=0,
    )
    contrastive_epochs: int = setting(
        0,
        "contrastive_epochs",
        "Epochs in which the embeddings of a new model are aligned before it is trained"
        " (kaleido_tf/objectives/contrastive_start.py); 0: plain random weights.",
        decisive=True,
        lowest=0,
    )

    comparison_epochs: int = setting(
        40,
        "comparison_epochs",
        "Epochs in which a new model's comparison of words with patches is trained, where its"
        " config.json has a comparison_size (kaleido_tf/objectives/comparison_start.py).",
        decisive=True,
        lowest=1,
    )

    def __post_init__(self):
        check_settings(self)

    @property
    def loss_weights(self) -> dict[str, float]:
        """As a family's model takes them."""
        return {} if self.matching_weight == 1.0 else {"next_sentence": self.matching_weight}
