"""What the release of FashionBERT (EasyTransfer's `imagebert`) calls its variables and columns
(`Original`).
"""

import numpy as np

from kaleido_tf.models.fashion_bert.config import FashionBertConfig
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

_PRETRAINING = (
    "image_feature",
    "image_mask",
    "masked_patch_positions",
    *TEXT_COLUMNS,
    *MASKED_LM_COLUMNS,
    "nx_sent_labels",
)
_MATCHING = (
    "image_feature",
    "image_mask",
    *TEXT_COLUMNS,
    "nx_sent_labels",
    "prod_desc",
    "text_prod_id",
    "image_prod_id",
    "prod_img_id",
)


def variable_names(model) -> dict[str, OriginalVariable]:
    """Name below the release's scope -> variable."""
    layers, scope = model.named_layers, "bert/image_embeddings"
    names = {
        **bert_names(model),
        f"{scope}/patch_position_embeddings": OriginalVariable(layers["patch_positions"].table),
        **patch_embedding_names(
            scope,
            "image_projector",
            "patch_type_embeddings",
            "ImageEmbLayerNorm",
            layers["patch_embedding"],
        ),
    }
    for task in model.tasks:
        names.update(head_names(("img_predictions/output_weights", None), layers[task]))
    return names


def _lengths(config: FashionBertConfig) -> dict[str, int]:
    count = config.max_patch_position_embeddings
    return {
        "image_feature": count * config.patch_feature_size,
        "image_mask": count,
        "masked_patch_positions": config.masked_image_token_num,
    }


def _limits(config: FashionBertConfig) -> dict[str, int]:
    return {"masked_patch_positions": config.max_patch_position_embeddings}


def _inputs(columns, config, tasks):
    inputs = {name: columns[name] for name in TEXT_COLUMNS}
    inputs["patch_features"] = columns["image_feature"].reshape(
        len(columns["input_ids"]), -1, config.patch_feature_size
    )
    inputs["patch_mask"] = columns["image_mask"]
    if tasks is not None:
        inputs.update(
            {name: columns[name] for name in (*MASKED_LM_COLUMNS, "masked_patch_positions")}
        )
        inputs["next_sentence_label"] = columns["nx_sent_labels"][:, 0]
    return inputs


def _columns(inputs: dict[str, np.ndarray], config: FashionBertConfig) -> dict[str, np.ndarray]:
    del config
    return {
        "image_feature": inputs["patch_features"].reshape(len(inputs["input_ids"]), -1),
        "image_mask": inputs["patch_mask"],
        "masked_patch_positions": inputs["masked_patch_positions"],
        "nx_sent_labels": inputs["next_sentence_label"][:, None],
    }


ORIGINAL = Original(
    names=variable_names,
    easytransfer=EasyTransfer(
        scope="image_bert_pre_trained_model/",
        departures=BERT_DEPARTURES,
        rows=OriginalRows(
            {"pretraining": _PRETRAINING, "matching": _MATCHING},
            _lengths,
            _limits,
            _inputs,
            _columns,
        ),
    ),
)
