"""Records to static rows of the originals: masks, mismatches and puzzles are drawn once and written
down.

Training on records draws them anew at every step; rows are for trainers that read what EasyTransfer
read.
"""

import dataclasses
import math
import pathlib

from kaleido_tf.compat.rows.input_schema import Column, format_schema
from kaleido_tf.compat.rows.row_columns import pretraining_columns, pretraining_schema
from kaleido_tf.compat.rows.row_writing import encode_examples, encode_lines
from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.data.pipeline import RecordExamples
from kaleido_tf.errors import InputError
from kaleido_tf.families import FAMILIES, read_examples
from kaleido_tf.files.claimed_folders import claim_folder
from kaleido_tf.files.input_files import find_files
from kaleido_tf.files.tfrecord_files import write_shard
from kaleido_tf.files.whole_files import write_bytes, write_json
from kaleido_tf.models.config import BertConfig
from kaleido_tf.progress import Progress
from kaleido_tf.records.dataset_json import declared_by, layout_of
from kaleido_tf.text import Vocabulary

BATCH = 16


@dataclasses.dataclass(frozen=True)
class RowSettings:
    """How rows are drawn and written. `dupe_factor`: times that every image comes, each time drawn
    anew. `examples`: what is drawn.
    """

    format: str = "csv"
    dupe_factor: int = 1
    rows_per_shard: int = 512
    examples: ExamplesConfig = ExamplesConfig()


def config_of_records(records: str) -> BertConfig:
    """The base config of the family that reads records of this layout, in their feature size.

    Raises: InputError for records of pixels.
    """
    files = find_files(records)
    dataset = declared_by(files)
    layout = layout_of(dataset, files[0])
    if layout.holds_pixels:
        raise InputError(
            "--records: records of patch features are needed, which rows hold. Received:"
            f" {records}, whose layout is {layout.name}"
        )
    config = next(f.config for f in FAMILIES.values() if layout in f.layouts)
    return config(**config.sizes_of_records(dataset["feature_size"], layout.num_patches))


def write_rows(records: str, vocabulary: str, output_dir: str, settings: RowSettings) -> dict:
    """Writes rows of the records at `records`; returns what `rows.json` says of them.

    Whole shards that are there already are skipped, so an interrupted run goes on where it stopped.
    Leaves shards `rows-…`, a list file of them and `schema.txt`, the --input_schema that reads
    them.
    Raises: InputError for records that cannot be read, and for a folder of other rows.
    """
    config, drawn = config_of_records(records), settings.examples
    # the originals' rows know no views
    examples = read_examples(records, drawn, config, None, Vocabulary(vocabulary)).of_plain_views()
    left_out = len(examples.table) - len(examples)
    schema = pretraining_schema(config, drawn.text_length, config.max_masked_tokens)
    folder = pathlib.Path(output_dir)
    claim_folder(
        folder,
        {
            **dataclasses.asdict(settings),
            "model_type": config.model_type,
            "data_digest": examples.digest,
        },
    )
    total = len(examples) * settings.dupe_factor
    count = math.ceil(total / settings.rows_per_shard)
    names = [f"rows-{n:05d}-of-{count:05d}.{settings.format}" for n in range(count)]
    with Progress(folder.name, total, "rows") as progress:
        for number, name in enumerate(names):
            first = number * settings.rows_per_shard
            size = min(settings.rows_per_shard, total - first)
            if (folder / name).is_file():
                progress.skipped(size)
                continue
            _write_shard(folder / name, examples, config, schema, first, size, settings.format)
            progress.done(size)
    write_bytes(folder / "schema.txt", (format_schema(schema) + "\n").encode())
    size = sum((folder / name).stat().st_size for name in names)
    result = {
        "rows": total,
        "images": len(examples),
        "shards": count,
        "bytes": size,
        "input_schema": format_schema(schema),
        # only where there are any: what was written before there were views stays what it is
        **({"other_views_left_out": left_out} if left_out else {}),
    }
    write_json(folder / "rows.json", result)
    # Last: a folder without its list is not complete.
    write_bytes(
        folder / f"rows.list_{settings.format}", "".join(f"{name}\n" for name in names).encode()
    )
    return result


def _write_shard(
    path: pathlib.Path,
    examples: RecordExamples,
    config: BertConfig,
    schema: tuple[Column, ...],
    first: int,
    count: int,
    kind: str,
) -> None:
    encode = encode_lines if kind == "csv" else encode_examples
    lines: list[bytes] = []
    for batch in (
        examples.training_batches(BATCH, start=first)
        .take(math.ceil(count / BATCH))
        .as_numpy_iterator()
    ):
        begin = first + len(lines)
        lines += encode(
            pretraining_columns(batch, config),
            schema,
            lambda number, begin=begin: f"example {begin + number}",
        )
    if kind == "csv":
        write_bytes(path, b"".join(lines[:count]))
    else:
        write_shard(path, lines[:count])
