"""Golden files of other sizes, written by our own models in the form of tests/golden.

They prove nothing about the original; they show that the golden tests take every size from the
files (`python -m tests.other_golden_files FOLDER`, then `KALEIDO_GOLDEN_DIR=FOLDER`).
"""

import json
import pathlib
import sys

import numpy as np
import tensorflow as tf
import tf_keras

from kaleido_tf.compat.checkpoints.checkpoint_names import original_variables
from kaleido_tf.compat.checkpoints.tf1_checkpoint import write_tf1_checkpoint
from kaleido_tf.families import config_from_dict
from kaleido_tf.models.fashion_bert.model import FashionBert
from kaleido_tf.models.kaleido_bert.model import KaleidoBert
from tests.golden_batches import (
    FASHION_BERT_LOGITS,
    KALEIDO_LOGITS,
    LEVEL_COLUMNS,
    blanked,
    fashion_bert_batch,
    pretraining_batch,
)

BATCH, TEXT, FEATURES, MASKED_WORDS, STEP = 3, 13, 5, 6, 77
CONFIG = {
    "attention_probs_dropout_prob": 0.1,
    "hidden_dropout_prob": 0.1,
    "hidden_size": 12,
    "initializer_range": 0.2,
    "intermediate_size": 36,
    "masked_text_token_num": MASKED_WORDS,
    "max_position_embeddings": TEXT + 4,
    "num_attention_heads": 3,
    "num_hidden_layers": 1,
    "patch_feature_size": FEATURES,
    "type_vocab_size": 2,
    "vocab_size": 41,
}


def text_columns(random) -> dict[str, np.ndarray]:
    """Texts of `BATCH` rows with their masked words, and which of them match their image."""
    return {
        "input_ids": random.integers(0, 41, [BATCH, TEXT]),
        "input_mask": np.ones([BATCH, TEXT], int),
        "segment_ids": random.integers(0, 2, [BATCH, TEXT]),
        "masked_lm_positions": random.integers(0, TEXT, [BATCH, MASKED_WORDS]),
        "masked_lm_ids": random.integers(0, 41, [BATCH, MASKED_WORDS]),
        "masked_lm_weights": np.ones([BATCH, MASKED_WORDS], np.float32),
        "nx_sent_labels": random.integers(0, 2, [BATCH, 1]),
    }


def kaleido_columns(random) -> dict[str, np.ndarray]:
    columns = text_columns(random)
    for name, patches in LEVEL_COLUMNS.values():
        features = random.normal(size=[BATCH, patches * FEATURES])
        columns[f"img_feature_convert_{name}"] = features.astype(np.float32)
        columns[f"img_loc_position_{name}"] = random.integers(0, 9, [BATCH, patches * 5])
    for name, classes in (("rotate", 4), ("jigsaw", 24), ("camouflage", 9)):
        columns[f"img_{name}_gt"] = random.integers(0, classes, [BATCH, 1])
    columns["img_grey_lm_ids"] = random.integers(0, 16, [BATCH, 4])
    columns["img_blank_lm_ids"] = random.integers(0, 25, [BATCH, 2])
    columns["img_grey_mask_gt"] = random.normal(size=[BATCH, 4 * FEATURES]).astype(np.float32)
    return columns


def fashion_bert_columns(random, patches: int) -> dict[str, np.ndarray]:
    features = random.normal(size=[BATCH, patches * FEATURES]).astype(np.float32)
    return {
        **text_columns(random),
        "image_feature": features,
        "image_mask": np.ones([BATCH, patches], int),
        "masked_patch_positions": random.integers(0, patches, [BATCH, 7]),
    }


def write_model(folder, model, content, batch, masked, logits) -> None:
    """config.json, checkpoint, variables.json, outputs.npz and grads.npz of `model` on `batch`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(content))
    with tf.GradientTape() as tape:
        outputs = model.pretrainer(batch, training=False)
        losses = {name: loss.mean() for name, loss in outputs["losses"].items()}
        total, weights = model.total(losses)
    entries = original_variables(model)
    values = [entry.variable for entry in entries.values()]
    slopes = tape.gradient(total, values, unconnected_gradients="zero")
    gradients = {
        name: entry.to_original(tf.convert_to_tensor(gradient).numpy())
        for (name, entry), gradient in zip(entries.items(), slopes)
    }
    np.savez(folder / "grads.npz", **gradients)
    tensors = {name: entry.to_original(entry.variable.numpy()) for name, entry in entries.items()}
    shapes = [{"name": name, "shape": array.shape} for name, array in tensors.items()]
    (folder / "variables.json").write_text(json.dumps(shapes))
    tensors["global_step"] = np.int64(STEP)
    write_tf1_checkpoint(folder / f"model.ckpt-{STEP}", tensors)
    feed = blanked(batch, *masked)
    arrays = {
        **{theirs: outputs["logits"][ours] for ours, theirs in logits.items()},
        **{
            theirs.replace("_logits", "_loss"): losses[f"{ours}_loss"]
            for ours, theirs in logits.items()
        },
        **model.encoder({name: feed[name] for name in model.encoder.input}, training=False),
        **dict(zip(("w0", "w1", "w2"), weights.values())),
        "total_loss": total,
        "predict_nsp_logits": model.matcher({name: batch[name] for name in model.matcher.input}),
        "grad_global_norm_dense": np.sqrt(sum(np.sum(g**2) for g in gradients.values())),
    }
    np.savez(folder / "outputs.npz", **{name: np.asarray(value) for name, value in arrays.items()})


def write_kaleido_bert(folder: pathlib.Path) -> None:
    """Two models of one batch, as in kaleidobert_tiny, with names of their own."""
    columns = kaleido_columns(np.random.default_rng(1))
    for name, types in (("few_types", 3), ("many_types", 7)):
        content = {"model_type": "kaleidobert", "patch_type_vocab_size": types, **CONFIG}
        content.update(masked_greymask_patch_num=4, masked_blankmask_patch_num=2, text_seq_len=TEXT)
        config = config_from_dict(content, "config.json")
        model = KaleidoBert(config, text_length=TEXT)
        batch = pretraining_batch(columns, FEATURES)
        masked = "blank_to_color_features", "blank_to_color_positions"
        write_model(folder / name, model, content, batch, masked, KALEIDO_LOGITS)
    np.savez(folder / "inputs.npz", **columns)
    words = "".join(f"w{number}\n" for number in range(CONFIG["vocab_size"]))
    (folder / "many_types" / "vocab.txt").write_text(words)


def write_fashion_bert(folder: pathlib.Path) -> None:
    content = {"model_type": "imagebert", **CONFIG, "max_patch_position_embeddings": 16}
    content.update(masked_image_token_num=7, patch_type_vocab_size=2)
    columns = fashion_bert_columns(np.random.default_rng(2), 16)
    model = FashionBert(config_from_dict(content, "config.json"), text_length=TEXT)
    batch = fashion_bert_batch(columns, FEATURES)
    masked = "patch_features", "masked_patch_positions"
    write_model(folder, model, content, batch, masked, FASHION_BERT_LOGITS)
    np.savez(folder / "inputs.npz", **columns)


def write_golden_files(folder: pathlib.Path) -> None:
    tf_keras.utils.set_random_seed(5)
    write_kaleido_bert(folder / "kaleidobert_tiny")
    write_fashion_bert(folder / "fashionbert_tiny")


if __name__ == "__main__":
    write_golden_files(pathlib.Path(sys.argv[1]))
