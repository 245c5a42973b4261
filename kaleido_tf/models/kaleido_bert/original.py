"""What the release of Kaleido-BERT calls its variables and columns (`Original`)."""

import numpy as np

from kaleido_tf import patches
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig
from kaleido_tf.models.original import (
    BERT_DEPARTURES,
    MASKED_LM_COLUMNS,
    TEXT_COLUMNS,
    EasyTransfer,
    Original,
    OriginalRows,
    OriginalVariable,
    bert_names,
    head_names,
    patch_embedding_names,
)

_LEVEL_SCOPES = {  # level: (scope of the embedding, prefix of its variables)
    "rotation": ("rotation_embeddings", "rotation"),
    "jigsaw": ("jigsaw_embeddings", "jigsaw"),
    "camouflage": ("camouflage_embeddings", "camouflage"),
    "grey_to_color": ("greymask_embeddings", "greymask"),
    "blank_to_color": ("blank_embeddings", "blankmask"),
}
_HEADS = {  # level: (kernel, bias or None)
    "rotation": ("img_rotation/rotation_output_weights", "img_rotation/rotation_output_bias"),
    "jigsaw": ("img_jigsaw/jiasaw_output_weights", "img_jigsaw/jigsaw_output_bias"),
    "camouflage": (
        "img_camouflage/camouflage_output_weights",
        "img_camouflage/camouflage_output_bias",
    ),
    "grey_to_color": ("img_greymask/greymask_output_weights", None),
    "blank_to_color": ("img_blankmask/blanmask_output_weights", None),
}


def variable_names(model) -> dict[str, OriginalVariable]:
    """Name below the release's scope -> variable."""
    layers = model.named_layers
    names = {
        **bert_names(model),
        "bert/position_dense": OriginalVariable(layers["box_projection"].kernel),
    }
    for level, (scope, prefix) in _LEVEL_SCOPES.items():
        names.update(
            patch_embedding_names(
                f"bert/{scope}",
                f"{prefix}_projector",
                f"{prefix}_type_embeddings",
                f"{prefix}EmbLayerNorm",
                layers[f"{level}_embedding"],
            )
        )
    for level in model.tasks:
        names.update(head_names(_HEADS[level], layers[level]))
    return names


_LEVELS = {
    "rotation": "rotation",
    "jigsaw": "jigsaw",
    "camouflage": "camouflage",
    "grey_to_color": "grey_mask",
    "blank_to_color": "blank_mask",
}
"""Our name of a level -> what the original's columns call it."""

_PATCHES = (
    *(f"img_feature_convert_{level}" for level in _LEVELS.values()),
    "image_mask",
    *(f"img_loc_position_{level}" for level in _LEVELS.values()),
)

_LABELS = {
    "next_sentence_label": "nx_sent_labels",
    "rotation_label": "img_rotate_gt",
    "jigsaw_label": "img_jigsaw_gt",
    "camouflage_label": "img_camouflage_gt",
}

_PRETRAINING = (
    *TEXT_COLUMNS,
    *MASKED_LM_COLUMNS,
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
_MATCHING = (
    "text_prod_id",
    *TEXT_COLUMNS,
    "prod_desc",
    "nx_sent_labels",
    "image_prod_id",
    "prod_img_id",
    *_PATCHES,
)
_RECOGNITION = (
    "text_prod_id",
    *TEXT_COLUMNS,
    "prod_desc",
    "image_prod_id",
    "prod_img_id",
    *_PATCHES,
    "img_category",
    "img_category_id",
    "img_subcategory",
    "img_subcategory_id",
)


def _lengths(config: KaleidoBertConfig) -> dict[str, int]:
    lengths = {
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


def _limits(config: KaleidoBertConfig) -> dict[str, int]:
    return {
        "img_rotate_gt": config.img_rotation_label_num,
        "img_jigsaw_gt": config.img_jigsaw_label_num,
        "img_camouflage_gt": config.img_camouflage_label_num,
        "img_grey_lm_ids": patches.LEVEL_PATCHES["grey_to_color"],
        "img_blank_lm_ids": patches.LEVEL_PATCHES["blank_to_color"],
    }


def _inputs(columns, config, tasks):
    """Inputs of the pretrainer with `tasks`, or (None) of the matcher."""
    rows = len(columns["input_ids"])
    inputs = {name: columns[name] for name in TEXT_COLUMNS}
    for level, theirs in _LEVELS.items():
        count = patches.LEVEL_PATCHES[level]
        inputs[f"{level}_features"] = columns[f"img_feature_convert_{theirs}"].reshape(
            rows, count, config.patch_feature_size
        )
        inputs[f"{level}_boxes"] = columns[f"img_loc_position_{theirs}"].reshape(rows, count, 5)
    if tasks is None:
        return inputs
    inputs.update({name: columns[name] for name in MASKED_LM_COLUMNS})
    inputs.update(
        {
            ours: columns[theirs][:, 0]
            for ours, theirs in _LABELS.items()
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


def _columns(inputs: dict[str, np.ndarray], config: KaleidoBertConfig) -> dict[str, np.ndarray]:
    del config
    rows = len(inputs["input_ids"])
    columns = {}
    for level, theirs in _LEVELS.items():
        columns[f"img_feature_convert_{theirs}"] = inputs[f"{level}_features"].reshape(rows, -1)
        columns[f"img_loc_position_{theirs}"] = inputs[f"{level}_boxes"].reshape(rows, -1)
    columns.update({theirs: inputs[ours][:, None] for ours, theirs in _LABELS.items()})
    columns["image_mask"] = np.ones([rows, patches.NUM_PATCHES], np.int32)
    # The original reads this flag and does not use it; it is 1 where the text belongs to the image.
    columns["img_subtasks_flag"] = columns["nx_sent_labels"]
    columns["img_grey_lm_ids"] = inputs["grey_to_color_positions"]
    columns["img_blank_lm_ids"] = inputs["blank_to_color_positions"]
    columns["img_grey_mask_gt"] = inputs["grey_to_color_targets"].reshape(rows, -1)
    return columns


ORIGINAL = Original(
    names=variable_names,
    easytransfer=EasyTransfer(
        scope="kaleido_bert_pre_trained_model/",
        departures={
            "box_unit": ("pixel", "the original feeds raw pixels and will compute other numbers"),
            "grey_target": ("joint", "the original's loss of grey patches is another one"),
            **BERT_DEPARTURES,
        },
        unused_values={"max_patch_position_embeddings": 64},
        rows=OriginalRows(
            {"pretraining": _PRETRAINING, "matching": _MATCHING, "recognition": _RECOGNITION},
            _lengths,
            _limits,
            _inputs,
            _columns,
        ),
    ),
)
