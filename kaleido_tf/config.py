"""The model's size and behaviour: `config.json` as a frozen dataclass."""

import dataclasses
import math
import pathlib

from kaleido_tf import patches
from kaleido_tf.errors import InputError
from kaleido_tf.json_files import read_json_object


@dataclasses.dataclass(frozen=True)
class KaleidoBertConfig:
    """Kaleido-BERT's `config.json`; the defaults are the paper's base model (section 4.1: L=12, H=768, A=12).

    The keys are the original's, except for the last ones, which say where we depart from it. A file without those
    is an original one and means the original's behaviour (see `from_dict`); our own files spell them out.

      box_unit: `relative` divides x, y by the crop's longer side and w*h by its square. `pixel` feeds raw pixels, as
        the original does: numbers up to 65,536 that drown the features before the layer norm at the start of training.
      grey_target: `per_patch` makes every grey patch's target a distribution of its own (equation 6). `joint` takes
        one softmax over all target patches of an example, as the original does; its loss can be negative.
      patch_feature_norm: `none` projects the patch features as they come, as the original does; `standard` first
        brings each to mean 0 and spread 1 over the training records; `whiten` does so along their principal directions.
      reconstruct_scale: factor on the features before the softmax that makes them a target distribution (1.0: as
        the original; backbones with large features need less).
      matching_similarity: adds to the match logit how similar the text's and the image's embeddings are (see
        layers/heads.py); False is the original.
    """

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
    patch_type_vocab_size: int = 6
    img_rotation_label_num: int = 4
    img_jigsaw_label_num: int = 24
    img_camouflage_label_num: int = 9
    masked_greymask_patch_num: int = 2
    masked_blankmask_patch_num: int = 3
    model_type: str = "kaleidobert"
    box_unit: str = "relative"
    grey_target: str = "per_patch"
    patch_feature_norm: str = "none"
    reconstruct_scale: float = 1.0
    matching_similarity: bool = False

    def __post_init__(self):
        if self.hidden_size % self.num_attention_heads:
            raise InputError(
                "`hidden_size` must be a multiple of `num_attention_heads`. "
                f"Received: hidden_size={self.hidden_size}, num_attention_heads={self.num_attention_heads}"
            )
        choices = {
            "box_unit": ("relative", "pixel"), "grey_target": ("per_patch", "joint"), "patch_feature_norm": ("none", "standard", "whiten")
        }
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise InputError(f"`{name}` must be one of {', '.join(known)}. Received: {getattr(self, name)!r}")

    @classmethod
    def from_dict(cls, content: dict, source: str = "config.json") -> "KaleidoBertConfig":
        """Reads the keys of a `config.json`.

        Keys of the original that never vary here (the levels' sequence lengths) are checked; unknown keys are an error.
        Raises: InputError naming the key, what was needed, what came and `source`.
        """
        content = dict(content)
        if content.get("model_type", cls.model_type) != cls.model_type:
            raise InputError(f"{source}: `model_type` must be {cls.model_type}. Received: {content['model_type']!r}")
        for key, expected in _ORIGINAL_CONSTANTS.items():
            if content.pop(key, expected) != expected:
                raise InputError(f"{source}: `{key}` must be {expected} (the kaleido levels). Received another number")
        content.pop("max_patch_position_embeddings", None)  # a table that the original declares but never makes
        fields = {field.name: field for field in dataclasses.fields(cls)}
        unknown = sorted(set(content) - set(fields))
        if unknown:
            raise InputError(f"{source}: unknown key(s) {', '.join(unknown)}. Known: {', '.join(fields)}")
        for key, value in content.items():
            wanted = type(fields[key].default)
            fits = isinstance(value, (int, float) if wanted is float else wanted)
            if not fits or (isinstance(value, bool) and wanted is not bool):
                raise InputError(f"{source}: `{key}` must be {wanted.__name__}. Received: {value!r}")
        if not set(content) & set(_OURS):
            content = {**_ORIGINAL_BEHAVIOUR, **content}
        return cls(**content)

    def to_dict(self) -> dict:
        """What `config.json` holds; `from_dict` reads it back to an equal config."""
        return dataclasses.asdict(self) | _ORIGINAL_CONSTANTS


_ORIGINAL_CONSTANTS = {
    "img_rotation_seq_len": patches.LEVEL_PATCHES["rotation"],
    "img_jigsaw_seq_len": patches.LEVEL_PATCHES["jigsaw"],
    "img_camouflage_seq_len": patches.LEVEL_PATCHES["camouflage"],
    "img_greymask_seq_len": patches.LEVEL_PATCHES["grey_to_color"],
    "img_blankmask_seq_len": patches.LEVEL_PATCHES["blank_to_color"],
}
_OURS = ("box_unit", "grey_target", "patch_feature_norm", "reconstruct_scale", "matching_similarity")
_ORIGINAL_BEHAVIOUR = {"box_unit": "pixel", "grey_target": "joint", "patch_type_vocab_size": 2}


def read_config(path: str | pathlib.Path) -> KaleidoBertConfig:
    """Reads a `config.json`. Raises: InputError if it is missing, broken, or of another model."""
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"A model needs its config.json. Not found: {path}")
    content = read_json_object(path)
    return KaleidoBertConfig.from_dict(content, str(path))


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
    weight_decay_ratio: float = 0.0
    clip_norm: float = 1.0
    kaleido_tasks: tuple[str, ...] = patches.LEVEL_NAMES
    token_fraction: float = 0.15
    whole_words: bool = False
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
        unknown = [task for task in self.kaleido_tasks if task not in patches.LEVEL_NAMES]
        if unknown:
            raise InputError(f"`kaleido_tasks` must be among {', '.join(patches.LEVEL_NAMES)}. Received: {', '.join(unknown)}")
        if self.text_length < 3:
            raise InputError(f"`text_length` must be at least 3 ([CLS] token [SEP]). Received: {self.text_length}")
