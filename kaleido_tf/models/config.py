"""The size and behaviour of a model (`config.json`), as frozen dataclasses."""

import dataclasses
import difflib
import math
from typing import ClassVar

from kaleido_tf.errors import InputError

_BERT_KEYS = {
    "hidden_act",
    "directionality",
    "pooler_fc_size",
    "pooler_num_attention_heads",
    "pooler_num_fc_layers",
    "pooler_size_per_head",
    "pooler_type",
}
"""Keys of Google's `bert_config.json` that say nothing our models could do otherwise (checked:
`hidden_act`).
"""


LARGEST_SIZE = 10**7
_MAY_BE_ZERO = ("comparison_size", "masked_image_token_num")


def is_size(value, largest: int = LARGEST_SIZE) -> bool:
    """Whether a value of a file is a whole number from 1 to `largest`."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= largest


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """A config that is read from a `config.json` and written to one; the keys are its fields.

    A file means the same whatever other keys stand beside: a key that is not there always has the
    original's value. Our own files spell every key out.
    """

    MODEL_TYPE: ClassVar[str]
    CONSTANTS: ClassVar[dict] = {}
    """Keys of the original that never vary here."""
    UNUSED: ClassVar[tuple[str, ...]] = ()
    """Keys that the original declares and does not use."""
    ORIGINAL: ClassVar[dict] = {}
    """Key -> what a file without it means, where that is not the default for new models."""
    OURS: ClassVar[tuple[str, ...]] = ()
    """Keys that the original does not have."""
    ALWAYS: ClassVar[dict] = {}
    """What a model always has of what is a key in the configs of other families."""
    EMPTY_TEXT_PLACES: ClassVar[int | None] = 2
    """Places that a text of [CLS] and [SEP] alone takes, as no model here needs padding; None: as
    many as any other text.
    """

    @property
    def model_type(self) -> str:
        """The family's name in config.json."""
        return self.MODEL_TYPE

    @classmethod
    def from_dict(cls, content: dict, source: str = "config.json") -> "ModelConfig":
        """Reads the keys of a `config.json`.

        Keys of the original that never vary here are checked. A key without meaning is reported, as
        the originals ignored them, unless it is nearly one that has: then it is a slip.
        Raises: InputError naming the key, what was needed, what came and `source`.
        """
        content = dict(content)
        if content.pop("model_type", cls.MODEL_TYPE) != cls.MODEL_TYPE:
            raise InputError(
                f"{source}: `model_type` must be {cls.MODEL_TYPE}. Received another family's"
            )
        for key, expected in cls.CONSTANTS.items():
            if content.pop(key, expected) != expected:
                raise InputError(f"{source}: `{key}` must be {expected}. Received another number")
        if content.get("hidden_act", "gelu") != "gelu":
            raise InputError(
                f"{source}: `hidden_act` must be gelu, as the originals call it; `hidden_gelu` says"
                f" which one. Received: {content['hidden_act']!r}"
            )
        fields = {field.name: field for field in dataclasses.fields(cls)}
        cls._report_unknown(set(content) - set(fields) - set(cls.UNUSED) - _BERT_KEYS, source)
        content = {key: value for key, value in content.items() if key in fields}
        for key, value in content.items():
            _check_type(key, value, type(fields[key].default), source)
        return cls(**{**cls.ORIGINAL, **content})

    @classmethod
    def _report_unknown(cls, unknown: set[str], source: str) -> None:
        known = [field.name for field in dataclasses.fields(cls)]
        for key in sorted(unknown):
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.8)
            if near:
                raise InputError(
                    f"{source}: unknown key {key}. Is {near[0]} meant? Known: {', '.join(known)}"
                )
        if unknown:
            print(f"{source}: key(s) without meaning here: {', '.join(sorted(unknown))}")

    def to_dict(self) -> dict:
        """What `config.json` holds; `from_dict` reads it back to an equal config."""
        return {"model_type": self.MODEL_TYPE, **dataclasses.asdict(self), **self.CONSTANTS}

    def _check_choice(self, name: str, known: tuple[str, ...]) -> None:
        if getattr(self, name) not in known:
            raise InputError(
                f"`{name}` must be one of {', '.join(known)}. Received: {getattr(self, name)!r}"
            )


def _check_type(key: str, value, needed: type, source: str) -> None:
    fits = isinstance(value, (int, float) if needed is float else needed)
    if not fits or (isinstance(value, bool) and needed is not bool):
        raise InputError(f"{source}: `{key}` must be {needed.__name__}. Received: {value!r}")


@dataclasses.dataclass(frozen=True)
class BertConfig(ModelConfig):
    """The keys that the BERT-like families on patch features share; defaults are the base size.

    The keys are the original's, except for the last ones, which say where we depart from it:

      patch_feature_norm: `none` projects the patch features as they come, as the originals do;
        `standard` first brings each to mean 0 and spread 1 over the training records; `whiten` does
        so along their principal directions.
      reconstruct_scale: factor on the features before the softmax that makes them a target
        distribution (1.0: as the original; backbones with large features need less).
      matching_similarity: adds to the match logit how similar the text's and the image's embeddings
        are (see layers/heads.py); False is the original.
      hidden_gelu: `tanh` is the approximation that the originals compute; `erf` is the exact
        function, which a text encoder in Hugging Face's layout was mostly trained with. (The
        originals' own key, `hidden_act`, says `gelu` for the former, Hugging Face's for the
        latter.)
      layer_norm_eps: of every layer norm; 1e-12 is the original.
      comparison_size: width of a comparison of words with patches (layers/comparison.py), whose
        score is added to the match logit at ranking; 0, the original, is none.
        comparison_tower_size: width of its towers. comparison_members: how many are trained apart
        and averaged. comparison_bank: training products that tell
        which texts and images are near to everything; comparison_neighbours: how many of them count
        for each.
      reads_comparison: the encoder is told of each word how well the comparison finds it to fit the
        image, and the comparison's part in the score is learnt, from lists of candidates
        (objectives/list_matching.py).
    """

    OURS: ClassVar[tuple[str, ...]] = (
        "patch_feature_norm",
        "reconstruct_scale",
        "matching_similarity",
        "comparison_size",
        "comparison_tower_size",
        "comparison_members",
        "comparison_bank",
        "comparison_neighbours",
        "reads_comparison",
        "hidden_gelu",
        "layer_norm_eps",
    )

    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    initializer_range: float = 0.02
    type_vocab_size: int = 2
    max_position_embeddings: int = 512
    text_seq_len: int = 64
    patch_feature_size: int = 2048
    patch_feature_norm: str = "none"
    reconstruct_scale: float = 1.0
    matching_similarity: bool = False
    comparison_size: int = 0
    comparison_tower_size: int = 256
    comparison_members: int = 1
    comparison_bank: int = 2000
    comparison_neighbours: int = 10
    reads_comparison: bool = False
    hidden_gelu: str = "tanh"
    layer_norm_eps: float = 1e-12

    def __post_init__(self):
        self._check_numbers()
        if self.hidden_size % self.num_attention_heads:
            raise InputError(
                "`hidden_size` must be a multiple of `num_attention_heads`. Received: hidden_size="
                f"{self.hidden_size}, num_attention_heads={self.num_attention_heads}"
            )
        self._check_choice("patch_feature_norm", ("none", "standard", "whiten"))
        self._check_choice("hidden_gelu", ("tanh", "erf"))
        if self.reads_comparison and not self.comparison_size:
            raise InputError("`reads_comparison` needs a `comparison_size` above 0. Received: 0")
        if not 0 < self.layer_norm_eps < 1:
            raise InputError(
                f"`layer_norm_eps` must be above 0 and below 1. Received: {self.layer_norm_eps}"
            )

    def _check_numbers(self) -> None:
        """Sizes are whole numbers that memory can hold, probabilities stay below 1."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, int) and not isinstance(field.default, bool):
                least = 0 if field.name in _MAY_BE_ZERO else 1
                if not least <= value <= LARGEST_SIZE:
                    raise InputError(
                        f"`{field.name}` must be at least {least} and at most {LARGEST_SIZE}."
                        f" Received: {str(value)[:40]}"
                    )
            elif field.name.endswith("_prob") and not 0 <= value < 1:
                raise InputError(f"`{field.name}` must be in [0, 1). Received: {value}")
            elif field.name in ("initializer_range", "reconstruct_scale") and not (
                0 < value < math.inf
            ):
                raise InputError(f"`{field.name}` must be above 0. Received: {value}")

    @property
    def record_size(self) -> int:
        """What its records hold, as `record.Layout.size_key` calls it."""
        return self.patch_feature_size

    @property
    def max_masked_tokens(self) -> int:
        """Most word pieces of a text that are masked."""
        return 10

    @classmethod
    def sizes_of_records(cls, feature_size: int, num_patches: int) -> dict[str, int]:
        """Keys that a config may leave open, as the records that a model is to read decide them."""
        del num_patches
        return {"patch_feature_size": feature_size}
