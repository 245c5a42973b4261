"""Where a command's examples come from: records of this project, or (with a schema) rows of the
originals.
"""

import dataclasses
import os
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from kaleido_tf.compat.rows.input_schema import Column
from kaleido_tf.compat.rows.row_columns import IDENTITY, row_format
from kaleido_tf.compat.rows.row_examples import RowExamples
from kaleido_tf.compat.rows.row_files import RowFiles
from kaleido_tf.data.record_table import RecordTable, open_records
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.candidates import Pairs, read_candidate_pairs
from kaleido_tf.evaluation.photo_views import pairs_of_views
from kaleido_tf.evaluation.scoring import candidate_batches
from kaleido_tf.families import FAMILIES, tasks_of
from kaleido_tf.files.input_files import find_files
from kaleido_tf.models.config import ModelConfig
from kaleido_tf.text import Vocabulary

Schema = tuple[Column, ...] | None
"""The columns of rows; None: the inputs are records."""


def text_length(config: ModelConfig, purpose: str, asked: int | None, schema: Schema) -> int:
    """Of rows what their schema says; else what was asked for, else the length that the model was
    made for.

    Raises: InputError if what was asked for and the schema disagree, or the model's texts are
      shorter.
    """
    length = asked or config.text_seq_len
    if schema is not None:
        length = row_format(schema, config, purpose).text_length
        if asked not in (None, length):
            raise InputError(
                f"--input_sequence_length={asked} must be the length of `input_ids` in"
                f" --input_schema. Declared: {length}"
            )
    limit = getattr(config, "max_position_embeddings", length)
    if length > limit:
        raise InputError(
            f"The text must not be longer than `max_position_embeddings`={limit}. Received:"
            f" --input_sequence_length={length}"
        )
    return length


def open_vocabulary(path: str, config: ModelConfig) -> Vocabulary:
    """A model's vocabulary. Raises: InputError unless it is as large as the model's embedding."""
    vocabulary = Vocabulary(path)
    if config.vocab_size != len(vocabulary):
        raise InputError(
            f"The embedding has `vocab_size`={config.vocab_size} rows; the vocabulary"
            f" {vocabulary.path} has {len(vocabulary)} tokens. They must agree"
        )
    return vocabulary


def open_rows(
    pattern: str,
    purpose: str,
    seed: int,
    config: ModelConfig,
    tasks: tuple[str, ...] | None,
    schema: tuple[Column, ...],
    make_inputs: Callable | None = None,
) -> RowExamples:
    """Rows of a schema; `make_inputs` as `RowExamples`."""
    form = row_format(schema, config, purpose, tasks_of(config, tasks))
    return RowExamples(RowFiles(pattern, schema), form, seed, make_inputs)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ListedPairs:
    """Pairs of a text and an image in their order [N].

    Attributes:
      text_ids, image_ids, image_file_ids: [N] str, of the text's product, the image's product and
        the image.
      labels: [N] 1 if they belong together. queries: [N] what a pair is grouped by.
      equal_texts: how many of them do by their text alone.
    """

    text_ids: np.ndarray
    image_ids: np.ndarray
    image_file_ids: np.ndarray
    labels: np.ndarray
    queries: np.ndarray
    equal_texts: int = 0

    @classmethod
    def of(cls, table: RecordTable, pairs: Pairs, **more):
        """Those of candidate lists. Args: more: further fields."""
        return cls(
            text_ids=table.product_ids[pairs.texts],
            image_ids=table.product_ids[pairs.images],
            image_file_ids=table.image_ids[pairs.images],
            labels=pairs.labels,
            queries=pairs.lists,
            equal_texts=pairs.equal_texts,
            **more,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairsToScore(ListedPairs):
    """Pairs, and how to feed them.

    Attributes:
      views: [N] int, how many views of its image a pair is scored with.
      batches: (model, batch size) -> dataset of the matcher's inputs, of each pair's views one
        after the other.
    """

    views: np.ndarray
    batches: Callable[[tf.Module, int], tf.data.Dataset]


def open_table(
    pattern: str, config: ModelConfig, vocabulary: Vocabulary, length: int
) -> RecordTable:
    """The records at `pattern`, held against the model that is to read them. Raises: InputError as
    `open_records`.
    """
    layout = FAMILIES[config.model_type].layout(config)
    return open_records(pattern, layout, config.record_size, vocabulary, length)


def pairs_of_candidates(
    records: str,
    direction: str,
    length: int,
    config: ModelConfig,
    vocabulary: Vocabulary,
    candidates: str | None,
) -> PairsToScore:
    """The pairs of candidate lists; `candidates` None: those beside the records."""
    table = open_table(records, config, vocabulary, length)
    beside = candidates_beside(records, direction)
    pairs = read_candidate_pairs(candidates or beside, direction, table)
    viewed, views = pairs_of_views(table, pairs)
    return PairsToScore.of(
        table,
        pairs,
        views=views,
        batches=lambda model, batch_size: candidate_batches(model, table, viewed, batch_size),
    )


def candidates_beside(records: str, direction: str) -> str:
    """Where the candidate lists of records lie, if they have any."""
    folder = os.path.dirname(find_files(records)[0])
    return os.path.join(folder, f"candidates_{direction}.jsonl")


def pairs_of_rows(
    pattern: str,
    direction: str,
    config: ModelConfig,
    schema: tuple[Column, ...],
    candidates: str | None,
) -> PairsToScore:
    """Each row is a pair; a query is an image's product (img2txt) or a text's (txt2img), as in the
    original.
    """
    if candidates:
        raise InputError(
            f"Rows are pairs already: --candidates is for records. Received: {candidates}"
        )
    if getattr(config, "comparison_size", 0):
        raise InputError(
            "A model with `comparison_size` scores pairs of records (data_prep), since it holds"
            f" each side against its training products. Received: rows, {pattern}"
        )
    examples = open_rows(pattern, "matching", 0, config, (), schema)
    text_ids, image_ids, file_ids, labels = examples.columns(IDENTITY)
    queries = image_ids if direction == "img2txt" else text_ids
    return PairsToScore(
        text_ids=text_ids,
        image_ids=image_ids,
        image_file_ids=file_ids,
        labels=labels,
        queries=queries,
        views=np.ones(len(labels), int),
        batches=lambda model, batch_size: examples.evaluation_batches(batch_size),
    )
