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
from kaleido_tf.data.pipeline import RecordExamples
from kaleido_tf.families import FAMILIES, read_examples
from kaleido_tf.files.claimed_folders import claim_folder
from kaleido_tf.files.input_files import find_files
from kaleido_tf.files.tfrecord_files import write_shard
from kaleido_tf.files.whole_files import write_bytes, write_json
from kaleido_tf.models.config import ModelConfig
from kaleido_tf.models.fashion_bert.config import FashionBertConfig
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig
from kaleido_tf.progress import Progress
from kaleido_tf.records.dataset_json import declared_by, layout_of
from kaleido_tf.records.record import KALEIDO
from kaleido_tf.training.run_config import RunConfig

BATCH = 16


@dataclasses.dataclass(frozen=True)
class RowSettings:
    """How rows are drawn and written. `dupe_factor`: times that every image comes, each time drawn
    anew.
    """

    format: str = "csv"
    dupe_factor: int = 1
    text_length: int = 64
    token_fraction: float = 0.15
    whole_words: bool = False
    negatives: str = "subcategory"
    rows_per_shard: int = 512
    seed: int = 123123


def config_of_records(records: str) -> ModelConfig:
    """The base config of the family that reads records of this layout, in their feature size."""
    files = find_files(records)
    dataset = declared_by(files)
    layout = layout_of(dataset, files[0])
    if layout == KALEIDO:
        return KaleidoBertConfig(patch_feature_size=dataset["feature_size"])
    return FashionBertConfig(
        patch_feature_size=dataset["feature_size"], max_patch_position_embeddings=layout.num_patches
    )


def write_rows(records: str, vocabulary: str, output_dir: str, settings: RowSettings) -> dict:
    """Writes rows of the records at `records`; returns what `rows.json` says of them.

    Whole shards that are there already are skipped, so an interrupted run goes on where it stopped.
    Leaves shards `rows-…`, a list file of them and `schema.txt`, the --input_schema that reads
    them.
    Raises: InputError for records that cannot be read, and for a folder of other rows.
    """
    config = config_of_records(records)
    run = RunConfig(
        records,
        "",
        output_dir,
        vocabulary,
        text_length=settings.text_length,
        token_fraction=settings.token_fraction,
        whole_words=settings.whole_words,
        negatives=settings.negatives,
        seed=settings.seed,
    )
    examples = read_examples(records, run, config)
    schema = pretraining_schema(
        config, settings.text_length, FAMILIES[config.model_type].max_tokens(config)
    )
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
    config: ModelConfig,
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
