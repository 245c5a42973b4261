"""The size and behaviour of a model (`config.json`) and of a run (flags), as frozen dataclasses."""

import dataclasses
import math
import pathlib
from typing import ClassVar

from kaleido_tf import patches
from kaleido_tf.errors import InputError
from kaleido_tf.json_files import read_json_object

_BERT_KEYS = {
    "hidden_act", "directionality", "pooler_fc_size", "pooler_num_attention_heads", "pooler_num_fc_layers",
    "pooler_size_per_head", "pooler_type",
}
"""Keys of Google's `bert_config.json` that say nothing our models could do otherwise (checked: `hidden_act`)."""


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The keys of `config.json` that all BERT-like families share; defaults are the base size.

    The keys are the original's, except for the last ones, which say where we depart from it:

      patch_feature_norm: `none` projects the patch features as they come, as the originals do; `standard` first
        brings each to mean 0 and spread 1 over the training records; `whiten` does so along their principal directions.
      reconstruct_scale: factor on the features before the softmax that makes them a target distribution (1.0: as
        the original; backbones with large features need less).
      matching_similarity: adds to the match logit how similar the text's and the image's embeddings are (see
        layers/heads.py); False is the original.
    """

    MODEL_TYPE: ClassVar[str]
    CONSTANTS: ClassVar[dict] = {}
    """Keys of the original that never vary here."""
    UNUSED: ClassVar[tuple[str, ...]] = ()
    """Keys that the original declares and does not use."""
    ORIGINAL_BEHAVIOUR: ClassVar[dict] = {}
    """What a file without any key of ours means."""
    OURS: ClassVar[tuple[str, ...]] = ("patch_feature_norm", "reconstruct_scale", "matching_similarity")

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
                "`hidden_size` must be a multiple of `num_attention_heads`. "
                f"Received: hidden_size={self.hidden_size}, num_attention_heads={self.num_attention_heads}"
            )
        self._check_choice("patch_feature_norm", ("none", "standard", "whiten"))

    def _check_choice(self, name: str, known: tuple[str, ...]) -> None:
        if getattr(self, name) not in known:
            raise InputError(f"`{name}` must be one of {', '.join(known)}. Received: {getattr(self, name)!r}")

    @property
    def model_type(self) -> str:
        return self.MODEL_TYPE

    @classmethod
    def from_dict(cls, content: dict, source: str = "config.json") -> "ModelConfig":
        """Reads the keys of a `config.json`.

        Keys of the original that never vary here are checked. An unknown key is an error; in a file of the original (it
        names its `model_type` and has no key of ours), which ignored such keys, it is reported.
        Raises: InputError naming the key, what was needed, what came and `source`.
        """
        content = dict(content)
        is_original = "model_type" in content and not set(content) & set(cls.OURS)
        if content.pop("model_type", cls.MODEL_TYPE) != cls.MODEL_TYPE:
            raise InputError(f"{source}: `model_type` must be {cls.MODEL_TYPE}. Received another family's")
        for key, expected in cls.CONSTANTS.items():
            if content.pop(key, expected) != expected:
                raise InputError(f"{source}: `{key}` must be {expected} (the kaleido levels). Received another number")
        if content.get("hidden_act", "gelu") != "gelu":
            raise InputError(f"{source}: `hidden_act` must be gelu. Received: {content['hidden_act']!r}")
        content = {key: value for key, value in content.items() if key not in cls.UNUSED and key not in _BERT_KEYS}
        fields = {field.name: field for field in dataclasses.fields(cls)}
        unknown = sorted(set(content) - set(fields))
        if unknown and is_original:
            print(f"{source}: key(s) without meaning here, as in the original: {', '.join(unknown)}")
            content = {key: value for key, value in content.items() if key in fields}
        elif unknown:
            raise InputError(f"{source}: unknown key(s) {', '.join(unknown)}. Known: {', '.join(fields)}")
        for key, value in content.items():
            wanted = type(fields[key].default)
            fits = isinstance(value, (int, float) if wanted is float else wanted)
            if not fits or (isinstance(value, bool) and wanted is not bool):
                raise InputError(f"{source}: `{key}` must be {wanted.__name__}. Received: {value!r}")
        if not set(content) & set(cls.OURS):
            content = {**cls.ORIGINAL_BEHAVIOUR, **content}
        return cls(**content)

    def to_dict(self) -> dict:
        """What `config.json` holds; `from_dict` reads it back to an equal config."""
        return {"model_type": self.MODEL_TYPE, **dataclasses.asdict(self), **self.CONSTANTS}


@dataclasses.dataclass(frozen=True)
class KaleidoBertConfig(ModelConfig):
    """Kaleido-BERT; the defaults are the paper's base model (section 4.1: L=12, H=768, A=12).

    A file without any key of ours is an original one and means the original's behaviour; our own files spell them out.

      box_unit: `relative` divides x, y by the crop's longer side and w*h by its square. `pixel` feeds raw pixels, as
        the original does: numbers up to 65,536 that drown the features before the layer norm at the start of training.
      grey_target: `per_patch` makes every grey patch's target a distribution of its own (equation 6). `joint` takes
        one softmax over all target patches of an example, as the original does; its loss can be negative.
    """

    MODEL_TYPE: ClassVar[str] = "kaleidobert"
    CONSTANTS: ClassVar[dict] = {
        "img_rotation_seq_len": patches.LEVEL_PATCHES["rotation"],
        "img_jigsaw_seq_len": patches.LEVEL_PATCHES["jigsaw"],
        "img_camouflage_seq_len": patches.LEVEL_PATCHES["camouflage"],
        "img_greymask_seq_len": patches.LEVEL_PATCHES["grey_to_color"],
        "img_blankmask_seq_len": patches.LEVEL_PATCHES["blank_to_color"],
    }
    UNUSED: ClassVar[tuple[str, ...]] = ("max_patch_position_embeddings",)
    ORIGINAL_BEHAVIOUR: ClassVar[dict] = {"box_unit": "pixel", "grey_target": "joint", "patch_type_vocab_size": 2}
    OURS: ClassVar[tuple[str, ...]] = (*ModelConfig.OURS, "box_unit", "grey_target")

    patch_type_vocab_size: int = 6
    img_rotation_label_num: int = 4
    img_jigsaw_label_num: int = 24
    img_camouflage_label_num: int = 9
    masked_greymask_patch_num: int = 2
    masked_blankmask_patch_num: int = 3
    box_unit: str = "relative"
    grey_target: str = "per_patch"

    def __post_init__(self):
        super().__post_init__()
        self._check_choice("box_unit", ("relative", "pixel"))
        self._check_choice("grey_target", ("per_patch", "joint"))


@dataclasses.dataclass(frozen=True)
class FashionBertConfig(ModelConfig):
    """FashionBERT (SIGIR 2020; EasyTransfer's `imagebert`); the defaults are its base model with 8x8 patches.

      max_patch_position_embeddings: number of patches, row by row, each with a learned position.
      masked_image_token_num: patches that are blanked and to be predicted.
      masked_text_token_num: most word pieces that are masked.
    """

    MODEL_TYPE: ClassVar[str] = "imagebert"

    patch_type_vocab_size: int = 2
    max_patch_position_embeddings: int = 64
    masked_image_token_num: int = 5
    masked_text_token_num: int = 10

    def __post_init__(self):
        super().__post_init__()
        if not 0 < self.masked_image_token_num < self.max_patch_position_embeddings:
            raise InputError(
                f"`masked_image_token_num` must be 1 to {self.max_patch_position_embeddings - 1} (below the number of "
                f"patches). Received: {self.masked_image_token_num}"
            )


CONFIGS = {config.MODEL_TYPE: config for config in (KaleidoBertConfig, FashionBertConfig)}
"""Config class by `model_type`."""


def config_from_dict(content: dict, source: str = "config.json") -> ModelConfig:
    """The config of whichever family `model_type` names; without that key it is Kaleido-BERT's."""
    model_type = content.get("model_type", KaleidoBertConfig.MODEL_TYPE)
    if model_type not in CONFIGS:
        raise InputError(f"{source}: `model_type` must be one of {', '.join(CONFIGS)}. Received: {model_type!r}")
    return CONFIGS[model_type].from_dict(content, source)


def read_config(path: str | pathlib.Path) -> ModelConfig:
    """Reads a `config.json`. Raises: InputError if it is missing, broken, or of no family."""
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"A model needs its config.json. Not found: {path}")
    return config_from_dict(read_json_object(path), str(path))


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """A pre-training run, as the entry script reads it from the flags (which explain each)."""

    train_input_fp: str
    eval_input_fp: str
    model_dir: str
    vocabulary: str
    text_length: int = 64
    train_batch_size: int = 32
    eval_batch_size: int = 16
    num_epochs: float = 1.0
    learning_rate: float = 1e-4
    warmup_ratio: float = 0.1
    warmup_steps: int | None = None
    weight_decay_ratio: float = 0.0
    clip_norm: float = 1.0
    tasks: tuple[str, ...] | None = None
    token_fraction: float = 0.15
    whole_words: bool = False
    masking: str = "aligned"
    negatives: str = "subcategory"
    rise_epochs: float = 30.0
    matching_weight: float = 1.0
    contrastive_epochs: int = 0
    seed: int = 123123
    precision: str = "float32"
    xla: bool = False
    worker_gpus: int = 1
    cpu_replicas: int = 1
    log_steps: int = 100
    save_steps: int | None = None
    eval_steps: int | None = None
    eval_epochs: float = 1.0
    keep_checkpoints: int = 10

    def __post_init__(self):
        positive = ("text_length", "train_batch_size", "eval_batch_size", "num_epochs", "learning_rate", "clip_norm",
                    "log_steps", "cpu_replicas", "keep_checkpoints", "eval_epochs", "rise_epochs")
        for name in positive:
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"`{name}` must be above 0. Received: {getattr(self, name)}")
        ranges = {"warmup_ratio": 1.0, "token_fraction": 1.0, "weight_decay_ratio": math.inf, "matching_weight": math.inf,
                  "contrastive_epochs": math.inf, "seed": 2**32 - 1}
        for name, largest in ranges.items():
            if not 0 <= getattr(self, name) <= largest:
                raise InputError(f"`{name}` must be 0 to {largest}. Received: {getattr(self, name)}")
        if self.masking not in ("aligned", "random"):
            raise InputError(f"`masking` must be aligned or random. Received: {self.masking!r}")
        if self.text_length < 3:
            raise InputError(f"`text_length` must be at least 3 ([CLS] token [SEP]). Received: {self.text_length}")
