"""The columns of the originals' rows, and which inputs of our models they are.

B = rows of a batch. `row_files.py` reads columns from files; this module gives them their meaning,
both ways. What a family's columns are called stands in its `original.py`.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from kaleido_tf.compat.rows.input_schema import Column
from kaleido_tf.errors import InputError
from kaleido_tf.families import FAMILIES
from kaleido_tf.models.config import BertConfig
from kaleido_tf.models.original import MASKED_LM_COLUMNS, TEXT_COLUMNS, OriginalRows

IDENTITY = ("text_prod_id", "image_prod_id", "prod_img_id", "nx_sent_labels")
"""What the result file of a prediction says of each row."""


def _rows_of(config: BertConfig, purpose: str) -> OriginalRows:
    """Raises: InputError for a family without a release, or without such rows."""
    known = {
        name: family.original.easytransfer.rows
        for name, family in FAMILIES.items()
        if family.original
        and family.original.easytransfer
        and purpose in family.original.easytransfer.rows.columns
    }
    if config.model_type not in known:
        raise InputError(
            f"Rows for {purpose} are known of models of type {', '.join(known)}. Received: a model"
            f" of type {config.model_type}"
        )
    return known[config.model_type]


@dataclasses.dataclass(frozen=True)
class RowFormat:
    """How rows of a schema are read for a model.

    Attributes:
      config: of the model. purpose: pretraining, matching or recognition. tasks: of pre-training,
        those that are trained.
      names: the original's name of each of the schema's columns, in the schema's order.
      text_length: S, the declared length of `input_ids`.
    """

    config: BertConfig
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
        for name, limit in _limits(self.config, self.purpose, self.text_length).items():
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
        tasks = self.tasks if self.purpose == "pretraining" else None
        inputs = _rows_of(self.config, self.purpose).inputs(columns, self.config, tasks)
        return {
            name: array.astype(np.int32 if array.dtype.kind == "i" else np.float32, copy=False)
            for name, array in inputs.items()
        }


def _limits(config: BertConfig, purpose: str, text_length: int) -> dict[str, int]:
    """What the numbers of a column must be below."""
    return {
        "input_ids": config.vocab_size,
        "masked_lm_ids": config.vocab_size,
        "segment_ids": config.type_vocab_size,
        "masked_lm_positions": text_length,
        "input_mask": 2,
        "image_mask": 2,
        "nx_sent_labels": 2,
        **_rows_of(config, purpose).limits(config),
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
    schema: tuple[Column, ...], config: BertConfig, purpose: str, tasks: tuple[str, ...] = ()
) -> RowFormat:
    """How to read rows of `schema`.

    Columns are known by their names. The original's scripts go by position instead, so a schema
    with other names and as many columns as theirs is read in that order (and this is reported).
    Raises: InputError for a schema with other columns, or of lengths that the model cannot take.
    """
    needed = _rows_of(config, purpose).columns[purpose]
    declared = [column.name for column in schema]
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
    for name, length in _lengths(config, purpose, lengths).items():
        if name in lengths and lengths[name] != length:
            raise InputError(
                f"--input_schema: `{name}` must have {length} values for this model (its"
                f" config.json). Declared: {lengths[name]}"
            )
    return RowFormat(config, purpose, tasks, names, lengths["input_ids"])


def _lengths(config: BertConfig, purpose: str, declared: dict[str, int]) -> dict[str, int]:
    """How many values the model needs of each column."""
    return {
        **dict.fromkeys(TEXT_COLUMNS, declared["input_ids"]),
        **dict.fromkeys(MASKED_LM_COLUMNS, declared.get("masked_lm_ids")),
        **_rows_of(config, purpose).lengths(config),
    }


def pretraining_schema(
    config: BertConfig, text_length: int, masked_tokens: int
) -> tuple[Column, ...]:
    """The schema of the rows that `pretraining_columns` makes, in the original's order."""
    declared = {"input_ids": text_length, "masked_lm_ids": masked_tokens}
    lengths = _lengths(config, "pretraining", declared)
    floats = ("masked_lm_weights", "image_feature", "img_grey_mask_gt")
    return tuple(
        Column(
            name,
            "float" if name in floats or name.startswith("img_feature_convert") else "int",
            lengths.get(name, 1),
        )
        for name in _rows_of(config, "pretraining").columns["pretraining"]
    )


def pretraining_columns(inputs: dict[str, np.ndarray], config: BertConfig) -> dict[str, np.ndarray]:
    """The original's columns of a batch of training inputs, in its order; `RowFormat.model_inputs`
    reads them back.
    """
    rows = _rows_of(config, "pretraining")
    columns = {name: inputs[name] for name in (*TEXT_COLUMNS, *MASKED_LM_COLUMNS)}
    columns |= rows.from_inputs(inputs, config)
    return {name: columns[name] for name in rows.columns["pretraining"]}
