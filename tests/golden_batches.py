"""The golden columns of the original (tests/golden/README.md) under our names."""

import numpy as np
import tensorflow as tf

LEVEL_COLUMNS = {
    "rotation": ("rotation", 1),
    "jigsaw": ("jigsaw", 4),
    "camouflage": ("camouflage", 9),
    "grey_to_color": ("grey_mask", 16),
    "blank_to_color": ("blank_mask", 25),
}


def pretraining_batch(columns: dict, feature_size: int) -> dict[str, tf.Tensor]:
    """One batch of the original's pre-training columns as inputs of our pretrainer."""
    rows = len(columns["input_ids"])
    batch = {name: columns[name] for name in ("input_ids", "input_mask", "segment_ids")}
    for level, (theirs, count) in LEVEL_COLUMNS.items():
        batch[f"{level}_features"] = columns[f"img_feature_convert_{theirs}"].reshape(
            rows, count, feature_size
        )
        batch[f"{level}_boxes"] = columns[f"img_loc_position_{theirs}"].reshape(rows, count, 5)
    for name in ("positions", "ids", "weights"):
        batch[f"masked_lm_{name}"] = columns[f"masked_lm_{name}"]
    labels = {
        "next_sentence": "nx_sent_labels",
        "rotation": "img_rotate_gt",
        "jigsaw": "img_jigsaw_gt",
        "camouflage": "img_camouflage_gt",
    }
    for ours, theirs in labels.items():
        batch[f"{ours}_label"] = columns[theirs][:, 0]
    batch["grey_to_color_positions"] = columns["img_grey_lm_ids"]
    batch["blank_to_color_positions"] = columns["img_blank_lm_ids"]
    batch["grey_to_color_targets"] = columns["img_grey_mask_gt"].reshape(rows, -1, feature_size)
    integers = {
        name: array.astype(np.int32) for name, array in batch.items() if array.dtype.kind == "i"
    }
    return {name: tf.constant(array) for name, array in {**batch, **integers}.items()}


def fashion_bert_batch(columns: dict, feature_size: int) -> dict[str, tf.Tensor]:
    """One batch of FashionBERT's pre-training columns as inputs of our pretrainer."""
    batch = {
        name: columns[name]
        for name in ("input_ids", "input_mask", "segment_ids", "masked_patch_positions")
    }
    batch.update(
        {
            name: columns[name]
            for name in ("masked_lm_positions", "masked_lm_ids", "masked_lm_weights")
        }
    )
    batch["patch_features"] = columns["image_feature"].reshape(
        len(columns["input_ids"]), -1, feature_size
    )
    batch["patch_mask"] = columns["image_mask"]
    batch["next_sentence_label"] = columns["nx_sent_labels"][:, 0]
    return {
        name: tf.constant(array.astype(np.int32) if array.dtype.kind == "i" else array)
        for name, array in batch.items()
    }


KALEIDO_LOGITS = {
    "masked_lm": "mlm_logits",
    "next_sentence": "nsp_logits",
    "rotation": "rotation_logits",
    "jigsaw": "jigsaw_logits",
    "camouflage": "camouflage_logits",
    "grey_to_color": "greymask_logits",
    "blank_to_color": "blankmask_logits",
}
FASHION_BERT_LOGITS = {
    "masked_lm": "mlm_logits",
    "next_sentence": "nsp_logits",
    "image": "mpm_logits",
}


def blanked(batch: dict, features: str, positions: str) -> dict[str, tf.Tensor]:
    """`batch` with the features of the masked patches as the original's TRAIN and EVAL modes feed
    them: multiplied by 1 - how often the patch is listed.
    """
    array = batch[features].numpy().copy()
    for row, places in enumerate(batch[positions].numpy().tolist()):
        for place in set(places):
            array[row, place] *= 1 - places.count(place)
    return {**batch, features: tf.constant(array)}
