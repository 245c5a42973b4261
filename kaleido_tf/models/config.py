"""The size and behaviour of a BERT-like model (`config.json`), as a frozen dataclass."""

import dataclasses
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


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The keys of `config.json` that all BERT-like families share; defaults are the base size.

    The keys are the original's, except for the last ones, which say where we depart from it:

      patch_feature_norm: `none` projects the patch features as they come, as the originals do;
        `standard` first brings each to mean 0 and spread 1 over the training records; `whiten` does
        so along their principal directions.
      reconstruct_scale: factor on the features before the softmax that makes them a target
        distribution (1.0: as the original; backbones with large features need less).
      matching_similarity: adds to the match logit how similar the text's and the image's embeddings
        are (see layers/heads.py); False is the original.
    """

    MODEL_TYPE: ClassVar[str]
    CONSTANTS: ClassVar[dict] = {}
    """Keys of the original that never vary here."""
    UNUSED: ClassVar[tuple[str, ...]] = ()
    """Keys that the original declares and does not use."""
    ORIGINAL_BEHAVIOUR: ClassVar[dict] = {}
    """What a file without any key of ours means."""
    OURS: ClassVar[tuple[str, ...]] = (
        "patch_feature_norm",
        "reconstruct_scale",
        "matching_similarity",
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

    def __post_init__(self):
        if self.hidden_size % self.num_attention_heads:
            raise InputError(
                "`hidden_size` must be a multiple of `num_attention_heads`. Received:"
                f" hidden_size={self.hidden_size}, num_attention_heads={self.num_attention_heads}"
            )
        self._check_choice("patch_feature_norm", ("none", "standard", "whiten"))

    def _check_choice(self, name: str, known: tuple[str, ...]) -> None:
        if getattr(self, name) not in known:
            raise InputError(
                f"`{name}` must be one of {', '.join(known)}. Received: {getattr(self, name)!r}"
            )

    @property
    def model_type(self) -> str:
        return self.MODEL_TYPE

    @classmethod
    def from_dict(cls, content: dict, source: str = "config.json") -> "ModelConfig":
        """Reads the keys of a `config.json`.

        Keys of the original that never vary here are checked. An unknown key is an error; in a file
        of the original (it names its `model_type` and has no key of ours), which ignored such keys,
        it is reported.
        Raises: InputError naming the key, what was needed, what came and `source`.
        """
        content = dict(content)
        is_original = "model_type" in content and not set(content) & set(cls.OURS)
        if content.pop("model_type", cls.MODEL_TYPE) != cls.MODEL_TYPE:
            raise InputError(
                f"{source}: `model_type` must be {cls.MODEL_TYPE}. Received another family's"
            )
        for key, expected in cls.CONSTANTS.items():
            if content.pop(key, expected) != expected:
                raise InputError(
                    f"{source}: `{key}` must be {expected} (the kaleido levels). Received another"
                    " number"
                )
        if content.get("hidden_act", "gelu") != "gelu":
            raise InputError(
                f"{source}: `hidden_act` must be gelu. Received: {content['hidden_act']!r}"
            )
        content = {
            key: value
            for key, value in content.items()
            if key not in cls.UNUSED and key not in _BERT_KEYS
        }
        fields = {field.name: field for field in dataclasses.fields(cls)}
        unknown = sorted(set(content) - set(fields))
        if unknown and is_original:
            print(
                f"{source}: key(s) without meaning here, as in the original: {', '.join(unknown)}"
            )
            content = {key: value for key, value in content.items() if key in fields}
        elif unknown:
            raise InputError(
                f"{source}: unknown key(s) {', '.join(unknown)}. Known: {', '.join(fields)}"
            )
        for key, value in content.items():
            wanted = type(fields[key].default)
            fits = isinstance(value, (int, float) if wanted is float else wanted)
            if not fits or (isinstance(value, bool) and wanted is not bool):
                raise InputError(
                    f"{source}: `{key}` must be {wanted.__name__}. Received: {value!r}"
                )
        if not set(content) & set(cls.OURS):
            content = {**cls.ORIGINAL_BEHAVIOUR, **content}
        return cls(**content)

    def to_dict(self) -> dict:
        """What `config.json` holds; `from_dict` reads it back to an equal config."""
        return {"model_type": self.MODEL_TYPE, **dataclasses.asdict(self), **self.CONSTANTS}
