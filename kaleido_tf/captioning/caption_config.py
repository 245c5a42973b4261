"""The settings of captioning: how a model learns to write, and how it writes."""

import dataclasses

from kaleido_tf.errors import InputError
from kaleido_tf.settings import check_settings, setting

CAUSAL, CAUSAL_MASKED, FULL = ATTENTIONS = ("causal", "causal_masked", "full")
ALL, FIRST = PHOTOS = ("all", "first")
"""Photos of a product that its caption is written from."""


@dataclasses.dataclass(frozen=True)
class CaptionTraining:
    """How a model learns to write.

    `attention`: `causal` writes a text piece by piece, each predicted at the place before it, which
      sees the image and the text up to itself; `causal_masked` predicts it at a [MASK] behind them,
      and learns a share of the pieces at a time (UniLM, VLP); `full` is the paper's way
      (Kaleido-BERT, section 4.2, "FC"): the encoder as it was pre-trained, whose [MASK]s are filled
      from left to right.
    """

    attention: str = setting(
        CAUSAL,
        "caption_attention",
        "What is seen of the text where a word piece is predicted: causal, all before it, at whose"
        " last place it is; causal_masked, all before it, at a [MASK]; full, all of it, and [MASK]s"
        " are filled from left to right (the paper's way).",
        decisive=True,
        choices=ATTENTIONS,
    )
    masked_share: float = setting(
        0.6,
        "caption_masked_share",
        "Share of a text's word pieces that a captioner has to predict at a time; with"
        " --caption_attention=causal it is all of them.",
        decisive=True,
        above=0,
        largest=1,
    )
    smoothing: float = setting(
        0.1,
        "label_smoothing",
        "Share of a captioner's target that is spread evenly over the vocabulary.",
        decisive=True,
        lowest=0,
        largest=0.9,
    )

    def __post_init__(self):
        check_settings(self)


@dataclasses.dataclass(frozen=True)
class Writing:
    """How captions are written. Lengths in word pieces, [CLS] and [SEP] left out."""

    beam_size: int = setting(
        3, "beam_size", "Captions that are followed at a time; 1 is greedy.", lowest=1
    )
    length_penalty: float = setting(
        0.6,
        "length_penalty",
        "Log probabilities are divided by ((5 + length) / 6) to this power.",
        lowest=0,
    )
    shortest: int = setting(1, "min_caption_length", "Least word pieces of a caption.", lowest=0)
    longest: int | None = setting(
        None,
        "max_caption_length",
        "Most word pieces of a caption; default: as many as the model's text has places for.",
        lowest=1,
    )
    repeats_trigrams: bool = setting(
        False, "repeat_trigrams", "Lets a caption say the same three word pieces twice."
    )

    def __post_init__(self):
        check_settings(self)
        if self.longest is not None and self.longest < self.shortest:
            raise InputError(
                f"--max_caption_length={self.longest} must be at least"
                f" --min_caption_length={self.shortest}"
            )

    def longest_in(self, text_length: int) -> int:
        """Most word pieces of a caption of a model with S places for its text.

        Raises: InputError if more were asked for than fit.
        """
        room = text_length - 2  # [CLS] and [SEP]
        longest = room if self.longest is None else self.longest
        if max(longest, self.shortest) > room:
            raise InputError(
                f"The model's text has room for {room} word pieces beside [CLS] and [SEP]."
                f" Received: --min_caption_length={self.shortest}, --max_caption_length={longest}"
            )
        return longest
