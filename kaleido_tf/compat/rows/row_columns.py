"""The columns of the originals' rows, and which inputs of our models they are.

B = rows of a batch. `row_files.py` reads columns from files; this module gives them their meaning,
both ways.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from kaleido_tf import patches
from kaleido_tf.compat.rows.input_schema import Column
from kaleido_tf.errors import InputError
from kaleido_tf.models.config import ModelConfig
from kaleido_tf.models.fashion_bert.config import FashionBertConfig
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig

_LEVELS = {
    "rotation": "rotation",
    "jigsaw": "jigsaw",
    "camouflage": "camouflage",
    "grey_to_color": "grey_mask",
    "blank_to_color": "blank_mask",
}
"""Our name of a level -> what the original's columns call it."""

_TEXT = ("input_ids", "input_mask", "segment_ids")
_MASKED_LM = ("masked_lm_positions", "masked_lm_ids", "masked_lm_weights")
_PATCHES = (
    *(f"img_feature_convert_{level}" for level in _LEVELS.values()),
    "image_mask",
    *(f"img_loc_position_{level}" for level in _LEVELS.values()),
)
IDENTITY = ("text_prod_id", "image_prod_id", "prod_img_id", "nx_sent_labels")
"""What the result file of a prediction says of each row."""

_KALEIDO_LABELS = {
    "next_sentence_label": "nx_sent_labels",
    "rotation_label": "img_rotate_gt",
    "jigsaw_label": "img_jigsaw_gt",
    "camouflage_label": "img_camouflage_gt",
}

KALEIDO_PRETRAINING = (
    *_TEXT,
    *_MASKED_LM,
    *_PATCHES,
    "img_subtasks_flag",
    "img_grey_lm_ids",
    "img_blank_lm_ids",
    "img_rotate_gt",
    "img_jigsaw_gt",
    "img_camouflage_gt",
    "img_grey_mask_gt",
    "nx_sent_labels",
)
KALEIDO_MATCHING = (
    "text_prod_id",
    *_TEXT,
    "prod_desc",
    "nx_sent_labels",
    "image_prod_id",
    "prod_img_id",
    *_PATCHES,
)
KALEIDO_RECOGNITION = (
    "text_prod_id",
    *_TEXT,
    "prod_desc",
    "image_prod_id",
    "prod_img_id",
    *_PATCHES,
    "img_category",
    "img_category_id",
    "img_subcategory",
    "img_subcategory_id",
)
FASHION_BERT_PRETRAINING = (
    "image_feature",
    "image_mask",
    "masked_patch_positions",
    *_TEXT,
    *_MASKED_LM,
    "nx_sent_labels",
)
FASHION_BERT_MATCHING = (
    "image_feature",
    "image_mask",
    *_TEXT,
    "nx_sent_labels",
    "prod_desc",
    "text_prod_id",
    "image_prod_id",
    "prod_img_id",
)

PURPOSES = {
    (KaleidoBertConfig.MODEL_TYPE, "pretraining"): KALEIDO_PRETRAINING,
    (KaleidoBertConfig.MODEL_TYPE, "matching"): KALEIDO_MATCHING,
    (KaleidoBertConfig.MODEL_TYPE, "recognition"): KALEIDO_RECOGNITION,
    (FashionBertConfig.MODEL_TYPE, "pretraining"): FASHION_BERT_PRETRAINING,
    (FashionBertConfig.MODEL_TYPE, "matching"): FASHION_BERT_MATCHING,
}
"""(model type, what the rows are for) -> their columns in the original's order."""


@dataclasses.dataclass(frozen=True)
class RowFormat:
    """How rows of a schema are read for a model.

    Attributes:
      config: of the model. purpose: pretraining, matching or recognition. tasks: of pre-training,
        those that are trained.
      names: the original's name of each of the schema's columns, in the schema's order.
      text_length: S, the declared length of `input_ids`.
    """

    config: ModelConfig
    purpose: str
    tasks: tuple[str, ...]
    names: tuple[str, ...]
    text_length: int

    def rename(self, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Columns by the original's names."""
        return dict(zip(self.names, columns.values(), strict=True))

    def check(self, columns: dict[str, np.ndarray], where: Callable[[int], str]) -> None:
        """Holds renamed columns against what the model can take; on some devices TensorFlow
        computes nonsense instead of failing.

        Raises: InputError naming file and line (`where`), column, what is needed and what came.
        """
        for name, limit in _limits(self.config, self.text_length).items():
            if name in columns:
                _check_values(
                    columns[name],
                    (columns[name] >= 0) & (columns[name] < limit),
                    f"0 to {limit - 1}",
                    name,
                    where,
                )
        for name, array in columns.items():
            if array.dtype.kind == "f":
                _check_values(array, np.isfinite(array), "finite numbers", name, where)
            elif name.startswith("img_loc_position"):
                _check_values(array, np.abs(array) < 2**31, "numbers of 32 bits", name, where)

    def model_inputs(self, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What the model takes (int32, float32), from renamed columns."""
        make = (
            _kaleido_inputs if isinstance(self.config, KaleidoBertConfig) else _fashion_bert_inputs
        )
        inputs = make(columns, self.config, self.tasks if self.purpose == "pretraining" else None)
        return {
            name: array.astype(np.int32 if array.dtype.kind == "i" else np.float32, copy=False)
            for name, array in inputs.items()
        }


def _limits(config: ModelConfig, text_length: int) -> dict[str, int]:
    """What the numbers of a column must be below."""
    limits = {
        "input_ids": config.vocab_size,
        "masked_lm_ids": config.vocab_size,
        "segment_ids": config.type_vocab_size,
        "masked_lm_positions": text_length,
        "input_mask": 2,
        "image_mask": 2,
        "nx_sent_labels": 2,
    }
    if isinstance(config, FashionBertConfig):
        return {**limits, "masked_patch_positions": config.max_patch_position_embeddings}
    return {
        **limits,
        "img_rotate_gt": config.img_rotation_label_num,
        "img_jigsaw_gt": config.img_jigsaw_label_num,
        "img_camouflage_gt": config.img_camouflage_label_num,
        "img_grey_lm_ids": patches.LEVEL_PATCHES["grey_to_color"],
        "img_blank_lm_ids": patches.LEVEL_PATCHES["blank_to_color"],
    }


def _check_values(
    array: np.ndarray, fits: np.ndarray, needed: str, name: str, where: Callable[[int], str]
) -> None:
    if not fits.all():
        place = tuple(np.argwhere(~fits)[0])
        raise InputError(
            f"{where(int(place[0]))}, column {name}: {needed} are needed for this model. Received:"
            f" {array[place]}"
        )


def row_format(
    schema: tuple[Column, ...], config: ModelConfig, purpose: str, tasks: tuple[str, ...] = ()
) -> RowFormat:
    """How to read rows of `schema`.

    Columns are known by their names. The original's scripts go by position instead, so a schema
    with other names and as many columns as theirs is taken in that order (and said to be).
    Raises: InputError for a schema with other columns, or of lengths that the model cannot take.
    """
    key = (config.model_type, purpose)
    if key not in PURPOSES:
        raise InputError(
            f"Rows for {purpose} are known of Kaleido-BERT. Received: a model of type"
            f" {config.model_type}"
        )
    needed, declared = PURPOSES[key], [column.name for column in schema]
    if set(needed) <= set(declared):
        names = tuple(declared)
    elif len(declared) == len(needed):
        names = needed
        print(
            f"--input_schema: columns {', '.join(n for n in declared if n not in needed)} are"
            " unknown; all are taken by position, as in the original"
        )
    else:
        missing = [name for name in needed if name not in declared]
        raise InputError(
            f"--input_schema for {purpose} of {config.model_type} needs {', '.join(needed)}."
            f" Missing: {', '.join(missing)}"
        )
    lengths = dict(zip(names, (column.values for column in schema)))
    for name, wanted in _lengths(config, purpose, lengths).items():
        if name in lengths and lengths[name] != wanted:
            raise InputError(
                f"--input_schema: `{name}` must have {wanted} values for this model (its"
                f" config.json). Declared: {lengths[name]}"
            )
    return RowFormat(config, purpose, tasks, names, lengths["input_ids"])


def _lengths(config: ModelConfig, purpose: str, declared: dict[str, int]) -> dict[str, int]:
    """How many values the model needs of each column."""
    text = dict.fromkeys(_TEXT, declared["input_ids"]) | dict.fromkeys(
        _MASKED_LM, declared.get("masked_lm_ids")
    )
    if isinstance(config, FashionBertConfig):
        count = config.max_patch_position_embeddings
        return {
            **text,
            "image_feature": count * config.patch_feature_size,
            "image_mask": count,
            "masked_patch_positions": config.masked_image_token_num,
        }
    lengths = {
        **text,
        "image_mask": patches.NUM_PATCHES,
        "img_grey_lm_ids": config.masked_greymask_patch_num,
        "img_blank_lm_ids": config.masked_blankmask_patch_num,
        "img_grey_mask_gt": config.masked_greymask_patch_num * config.patch_feature_size,
    }
    for level, theirs in _LEVELS.items():
        count = patches.LEVEL_PATCHES[level]
        lengths[f"img_feature_convert_{theirs}"] = count * config.patch_feature_size
        lengths[f"img_loc_position_{theirs}"] = count * 5
    return lengths


def _kaleido_inputs(columns, config, tasks):
    """Inputs of the pretrainer with `tasks`, or (None) of the matcher."""
    rows = len(columns["input_ids"])
    inputs = {name: columns[name] for name in _TEXT}
    for level, theirs in _LEVELS.items():
        count = patches.LEVEL_PATCHES[level]
        inputs[f"{level}_features"] = columns[f"img_feature_convert_{theirs}"].reshape(
            rows, count, config.patch_feature_size
        )
        inputs[f"{level}_boxes"] = columns[f"img_loc_position_{theirs}"].reshape(rows, count, 5)
    if tasks is None:
        return inputs
    inputs.update({name: columns[name] for name in _MASKED_LM})
    inputs.update(
        {
            ours: columns[theirs][:, 0]
            for ours, theirs in _KALEIDO_LABELS.items()
            if ours.removesuffix("_label") in ("next_sentence", *tasks)
        }
    )
    if "grey_to_color" in tasks:
        inputs["grey_to_color_positions"] = columns["img_grey_lm_ids"]
        inputs["grey_to_color_targets"] = columns["img_grey_mask_gt"].reshape(
            rows, -1, config.patch_feature_size
        )
    if "blank_to_color" in tasks:
        inputs["blank_to_color_positions"] = columns["img_blank_lm_ids"]
    return inputs


def _fashion_bert_inputs(columns, config, tasks):
    inputs = {name: columns[name] for name in _TEXT}
    inputs["patch_features"] = columns["image_feature"].reshape(
        len(columns["input_ids"]), -1, config.patch_feature_size
    )
    inputs["patch_mask"] = columns["image_mask"]
    if tasks is not None:
        inputs.update({name: columns[name] for name in (*_MASKED_LM, "masked_patch_positions")})
        inputs["next_sentence_label"] = columns["nx_sent_labels"][:, 0]
    return inputs


def pretraining_schema(
    config: ModelConfig, text_length: int, masked_tokens: int
) -> tuple[Column, ...]:
    """The schema of the rows that `pretraining_columns` makes, in the original's order."""
    names = PURPOSES[(config.model_type, "pretraining")]
    lengths = _lengths(
        config, "pretraining", {"input_ids": text_length, "masked_lm_ids": masked_tokens}
    )
    floats = ("masked_lm_weights", "image_feature", "img_grey_mask_gt")
    return tuple(
        Column(
            name,
            "float" if name in floats or name.startswith("img_feature_convert") else "int",
            lengths.get(name, 1),
        )
        for name in names
    )


def pretraining_columns(
    inputs: dict[str, np.ndarray], config: ModelConfig
) -> dict[str, np.ndarray]:
    """The original's columns of a batch of training inputs, in its order; `RowFormat.model_inputs`
    reads them back.
    """
    rows = len(inputs["input_ids"])
    columns = {name: inputs[name] for name in (*_TEXT, *_MASKED_LM)}
    if isinstance(config, FashionBertConfig):
        columns["image_feature"] = inputs["patch_features"].reshape(rows, -1)
        columns["image_mask"] = inputs["patch_mask"]
        columns["masked_patch_positions"] = inputs["masked_patch_positions"]
        columns["nx_sent_labels"] = inputs["next_sentence_label"][:, None]
    else:
        for level, theirs in _LEVELS.items():
            columns[f"img_feature_convert_{theirs}"] = inputs[f"{level}_features"].reshape(rows, -1)
            columns[f"img_loc_position_{theirs}"] = inputs[f"{level}_boxes"].reshape(rows, -1)
        columns.update({theirs: inputs[ours][:, None] for ours, theirs in _KALEIDO_LABELS.items()})
        columns["image_mask"] = np.ones([rows, patches.NUM_PATCHES], np.int32)
        # The original reads this flag and does not use it; it is 1 where the text belongs to the
        # image.
        columns["img_subtasks_flag"] = columns["nx_sent_labels"]
        columns["img_grey_lm_ids"] = inputs["grey_to_color_positions"]
        columns["img_blank_lm_ids"] = inputs["blank_to_color_positions"]
        columns["img_grey_mask_gt"] = inputs["grey_to_color_targets"].reshape(rows, -1)
    return {name: columns[name] for name in PURPOSES[(config.model_type, "pretraining")]}
