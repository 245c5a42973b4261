"""Where a command's examples come from: records of this project, or (with --input_schema) rows of
the originals.
"""

import dataclasses
import os
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from absl import flags

from kaleido_tf.command_line.shared_flags import is_given
from kaleido_tf.compat.rows.input_schema import parse_schema
from kaleido_tf.compat.rows.row_columns import IDENTITY, RowFormat, row_format
from kaleido_tf.compat.rows.row_examples import RowExamples
from kaleido_tf.compat.rows.row_files import RowFiles
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.candidates import read_candidate_pairs
from kaleido_tf.evaluation.scoring import candidate_batches
from kaleido_tf.families import FAMILIES, read_examples, read_table
from kaleido_tf.files.input_files import find_files
from kaleido_tf.models.config import ModelConfig
from kaleido_tf.text import Vocabulary
from kaleido_tf.training.run import Examples
from kaleido_tf.training.run_config import RunConfig


def text_length(config: ModelConfig, purpose: str) -> int:
    """Of rows what their schema says; else the flag if it was given, else the length that the model
    was made for.

    Raises: InputError if the flag and the schema disagree.
    """
    asked = flags.FLAGS.input_sequence_length if is_given("input_sequence_length") else None
    if not flags.FLAGS.input_schema:
        return asked or config.text_seq_len
    declared = _format(config, purpose, ()).text_length
    if asked not in (None, declared):
        raise InputError(
            f"--input_sequence_length={asked} must be the length of `input_ids` in --input_schema."
            f" Declared: {declared}"
        )
    return declared


def open_examples(pattern: str, run: RunConfig, config: ModelConfig) -> Examples:
    """The examples at `pattern` that a model is pre-trained on or is evaluated on."""
    if flags.FLAGS.input_schema:
        return open_rows(pattern, "pretraining", run, config)
    check_model(run.text_length, config, Vocabulary(run.vocabulary))
    return read_examples(pattern, run, config)


def open_rows(
    pattern: str,
    purpose: str,
    run: RunConfig,
    config: ModelConfig,
    make_inputs: Callable | None = None,
) -> RowExamples:
    """Rows of --input_schema; `make_inputs` as `RowExamples`."""
    check_model(run.text_length, config, Vocabulary(run.vocabulary))
    tasks = FAMILIES[config.model_type].model.TASKS if run.tasks is None else run.tasks
    form = _format(config, purpose, tasks)
    return RowExamples(
        RowFiles(pattern, parse_schema(flags.FLAGS.input_schema)), form, run.seed, make_inputs
    )


def _format(config: ModelConfig, purpose: str, tasks: tuple[str, ...]) -> RowFormat:
    return row_format(parse_schema(flags.FLAGS.input_schema), config, purpose, tasks)


@dataclasses.dataclass(frozen=True)
class PairsToScore:
    """Pairs of a text and an image in their order [N], and how to feed them.

    Attributes:
      text_ids, image_ids, image_file_ids: [N] str, of the text's product, the image's product and
        the image.
      labels: [N] 1 if they belong together. queries: [N] what a pair is grouped by.
      equal_texts: how many of them do by their text alone.
      batches: (model, batch size) -> dataset of the matcher's inputs.
    """

    text_ids: np.ndarray
    image_ids: np.ndarray
    image_file_ids: np.ndarray
    labels: np.ndarray
    queries: np.ndarray
    batches: Callable[[tf.Module, int], tf.data.Dataset]
    equal_texts: int = 0


def pairs_of_candidates(
    records: str, direction: str, run: RunConfig, config: ModelConfig, candidates: str | None
) -> PairsToScore:
    """The pairs of candidate lists; `candidates` None: those beside the records."""
    vocabulary = Vocabulary(run.vocabulary)
    check_model(run.text_length, config, vocabulary)
    table = read_table(records, config, vocabulary, run.text_length)
    beside = os.path.join(os.path.dirname(find_files(records)[0]), f"candidates_{direction}.jsonl")
    pairs = read_candidate_pairs(candidates or beside, direction, table)
    return PairsToScore(
        table.product_ids[pairs.texts],
        table.product_ids[pairs.images],
        table.image_ids[pairs.images],
        pairs.labels,
        pairs.lists,
        lambda model, batch_size: candidate_batches(model, table, pairs, batch_size),
        pairs.equal_texts,
    )


def pairs_of_rows(
    pattern: str, direction: str, run: RunConfig, config: ModelConfig, candidates: str | None
) -> PairsToScore:
    """Each row is a pair; a query is an image's product (img2txt) or a text's (txt2img), as in the
    original.
    """
    if candidates:
        raise InputError(
            f"Rows are pairs already: --candidates is for records. Received: {candidates}"
        )
    examples = open_rows(pattern, "matching", run, config)
    text_ids, image_ids, file_ids, labels = examples.columns(IDENTITY)
    queries = image_ids if direction == "img2txt" else text_ids
    return PairsToScore(
        text_ids,
        image_ids,
        file_ids,
        labels,
        queries,
        lambda model, batch_size: examples.evaluation_batches(batch_size),
    )


def check_model(text_length: int, config: ModelConfig, vocabulary: Vocabulary) -> None:
    """Refuses what would fail, or compute nonsense, only after the data has been read."""
    if text_length > config.max_position_embeddings:
        raise InputError(
            "The text must not be longer than"
            f" `max_position_embeddings`={config.max_position_embeddings}. Received:"
            f" --input_sequence_length={text_length}"
        )
    if config.vocab_size != len(vocabulary):
        raise InputError(
            f"The embedding has `vocab_size`={config.vocab_size} rows; the vocabulary"
            f" {vocabulary.path} has {len(vocabulary)} tokens. They must agree"
        )
