"""The same drawn products in every form that is read: records of this project, rows of the
original's released pre-training schema as text and as plain float TFRecords, shards of safetensors
and of WebDataset.

A row holds the features of the 55 patches and of two grey ones, a record and the shards those of
all 16 grey patches and of 3 turned wholes beside the 55.
"""

import io
import pathlib
import tarfile
from collections.abc import Sequence

import numpy as np
import safetensors.numpy

from benchmarks.drawn_records import drawn_fields
from kaleido_tf import patches
from kaleido_tf.compat.rows.input_schema import Column, parse_schema
from kaleido_tf.compat.rows.row_writing import encode_examples, encode_lines
from kaleido_tf.files.tfrecord_files import write_shard
from kaleido_tf.records.feature_storage import STORAGES
from kaleido_tf.records.record import serialize_record

SHARDS = 4
ARRAYS = ("patch_features", "rotated_features", "grey_features", "patch_boxes")
"""What the shards hold beside the word pieces."""
LEVELS = dict(
    zip(("rotation", "jigsaw", "camouflage", "grey_mask", "blank_mask"), patches.LEVEL_NAMES)
)
"""The original's names of the levels -> ours."""
_TEXT = (
    "input_ids:int:64,input_mask:int:64,segment_ids:int:64,masked_lm_positions:int:10,"
    "masked_lm_ids:int:10,masked_lm_weights:float:10"
)
_LABELS = (
    "img_subtasks_flag:int:1,img_grey_lm_ids:int:2,img_blank_lm_ids:int:3,img_rotate_gt:int:1,"
    "img_jigsaw_gt:int:1,img_camouflage_gt:int:1"
)


def drawn_contents(products: int, feature_size: int) -> list[dict]:
    """The fields of a record of each product."""
    return [drawn_fields(number, feature_size) for number in range(products)]


def write_forms(folder: pathlib.Path, contents: Sequence[dict]) -> dict[str, int]:
    """Writes `records_float16-<n>`, `records_int8-<n>`, `safetensors-<n>`, `webdataset-<n>`,
    `text.csv` and `floats.tfrecord`. Returns the bytes of each form.
    """
    shards = [range(n, len(contents), SHARDS) for n in range(SHARDS)]
    for number, shard in enumerate(shards):
        of_shard = [contents[product] for product in shard]
        for storage in STORAGES:
            path = folder / f"records_{storage}-{number}.tfrecord"
            write_shard(path, (serialize_record(fields, storage=storage) for fields in of_shard))
        _write_safetensors(folder / f"safetensors-{number}.safetensors", shard, of_shard)
        _write_tar(folder / f"webdataset-{number}.tar", shard, of_shard)
    schema = schema_of(contents)
    columns = row_columns(contents, schema)
    (folder / "text.csv").write_bytes(b"".join(encode_lines(columns, schema, str)))
    write_shard(folder / "floats.tfrecord", encode_examples(columns, schema, str))
    sizes: dict[str, int] = {}
    for path in folder.iterdir():
        form = path.stem.split("-")[0]
        sizes[form] = sizes.get(form, 0) + path.stat().st_size
    return sizes


def schema_of(contents: Sequence[dict]) -> tuple[Column, ...]:
    """The columns of the released pre-training script, with patches of the contents' size."""
    size = contents[0]["patch_features"].shape[1]
    counts = {theirs: patches.LEVEL_PATCHES[ours] for theirs, ours in LEVELS.items()}
    features = ",".join(f"img_feature_convert_{n}:float:{c * size}" for n, c in counts.items())
    boxes = ",".join(f"img_loc_position_{n}:int:{c * 5}" for n, c in counts.items())
    targets = f"img_grey_mask_gt:float:{2 * size},nx_sent_labels:int:1"
    return parse_schema(f"{_TEXT},{features},image_mask:int:55,{boxes},{_LABELS},{targets}")


def row_columns(contents: Sequence[dict], schema: Sequence[Column]) -> dict[str, np.ndarray]:
    """The columns of the contents; floats with six decimals, as such files were printed. What a
    record has no counterpart of (masks, labels) is drawn.
    """
    draw = np.random.default_rng(0)
    columns = {c.name: draw.integers(0, 2, [len(contents), c.values]) for c in schema}
    columns["masked_lm_weights"] = columns["masked_lm_weights"].astype(np.float32)
    ids = columns["input_ids"]
    for row, fields in enumerate(contents):
        ids[row, : len(fields["token_ids"])] = fields["token_ids"]
    features, boxes, grey = (
        np.stack([fields[name] for fields in contents])
        for name in ("patch_features", "patch_boxes", "grey_features")
    )
    for theirs, ours in LEVELS.items():
        level = patches.level_slice(ours)
        columns[f"img_feature_convert_{theirs}"] = _printed(features[:, level])
        columns[f"img_loc_position_{theirs}"] = boxes[:, level].reshape(len(boxes), -1)
    columns["img_grey_mask_gt"] = _printed(grey[:, :2])
    return columns


def _printed(features):
    flat = features.astype(np.float64).reshape(len(features), -1)
    return np.round(flat, 6).astype(np.float32)


def _write_safetensors(path, numbers, contents):
    arrays = {name: np.stack([fields[name] for fields in contents]) for name in ARRAYS}
    ids = np.array([fields["token_ids"] for fields in contents])
    safetensors.numpy.save_file({**arrays, "token_ids": ids, "number": np.array(numbers)}, path)


def _write_tar(path, numbers, contents):
    with tarfile.open(path, "w") as tar:
        for number, fields in zip(numbers, contents):
            arrays = {name: fields[name] for name in (*ARRAYS, "token_ids")}
            for name, array in {**arrays, "number": np.array(number)}.items():
                content = io.BytesIO()
                np.save(content, array)
                member = tarfile.TarInfo(f"{number:08d}.{name}.npy")
                member.size = content.tell()
                content.seek(0)
                tar.addfile(member, content)
