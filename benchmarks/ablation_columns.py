"""The columns of the paper's ablations (Kaleido-BERT, section 4.4, table 4): the flags and the
records that each is trained with, and what the paper found.
"""

import dataclasses
import functools
import pathlib

from kaleido_tf.errors import InputError
from kaleido_tf.files.flag_files import with_flag_files
from kaleido_tf.files.json_files import read_json_object

FLAG_FILES = pathlib.Path("run_configs", "ablations")
PAPER = pathlib.Path(__file__).with_name("kaleido_bert_table_4.json")


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of the table; its flags stand in a file of its name in `FLAG_FILES`.

    Attributes:
      group: what the paper varies: KPG (patches), AGM (masking) or AKPM (tasks). In each group the
        first column is what the others are compared with.
      records: the kind it is trained on: `scale_fixed` (data_prep.write_fashion_bert_records),
        `kaleido` (data_prep.write_kaleido_records --foreground=none: the whole photo) or `saliency`
        (the same with any other foreground: the crop of the product).
    """

    group: str
    records: str


COLUMNS = {
    "scale_fixed": Column("KPG", "scale_fixed"),
    "kaleido": Column("KPG", "kaleido"),
    "kaleido_saliency": Column("KPG", "saliency"),
    "random": Column("AGM", "saliency"),
    "aligned": Column("AGM", "saliency"),
    "b": Column("AKPM", "saliency"),
    "b_i": Column("AKPM", "saliency"),
    "b_i_ii": Column("AKPM", "saliency"),
    "b_i_iii": Column("AKPM", "saliency"),
    "b_i_iv": Column("AKPM", "saliency"),
    "b_i_v": Column("AKPM", "saliency"),
    "b_v": Column("AKPM", "saliency"),
}
KINDS = tuple(dict.fromkeys(column.records for column in COLUMNS.values()))

_ON_A_TEXT_ENCODER = {
    "run_configs/small_kaleido_bert.json": "text_encoder_kaleido_bert.json",
    "run_configs/small_fashion_bert.json": "text_encoder_fashion_bert.json",
}
"""The config of a column -> the same without sizes, which then are the encoder's."""


def chosen_columns(asked: list[str], records: dict[str, str | None]) -> list[str]:
    """The columns to run, in the table's order. Raises: InputError for unknown ones, and for those
    whose records are not given.
    """
    unknown = [name for name in asked if name not in COLUMNS]
    if unknown:
        raise InputError(
            f"--columns must be of {', '.join(COLUMNS)}. Received: {', '.join(unknown)}"
        )
    for name in asked:
        if not records[COLUMNS[name].records]:
            raise InputError(
                f"--columns={name} needs --records_{COLUMNS[name].records}. Received: nothing"
            )
    names = [
        name for name in COLUMNS if (name in asked or not asked) and records[COLUMNS[name].records]
    ]
    if not names:
        wanted = ", ".join(f"--records_{kind}" for kind in KINDS)
        raise InputError(f"At least one of {wanted} is needed. Received: none")
    return names


@functools.cache
def flags_of(name: str) -> tuple[str, ...]:
    """The flags of a column as pretrain_main.py takes them, in the order of their names; of a flag
    that is given twice the later value, as on a command line.

    Raises: InputError for a flag file that cannot be read; they name each other from the root of
      the repository, where the command must run.
    """
    return _last_of_each([f"--flagfile={FLAG_FILES / f'{name}.cfg'}"])


def flags_on_a_text_encoder(flags: tuple[str, ...]) -> tuple[str, ...]:
    """A column's flags where its runs start from a trained text encoder. Raises: as `flags_of`."""
    config = dict(flag.split("=", 1) for flag in flags)["--model_config"]
    return _last_of_each(
        [
            *flags,
            f"--flagfile={FLAG_FILES / 'text_encoder.cfg'}",
            f"--model_config={FLAG_FILES / _ON_A_TEXT_ENCODER[config]}",
        ]
    )


def _last_of_each(arguments: list[str]) -> tuple[str, ...]:
    values = {flag.partition("=")[0]: flag for flag in with_flag_files(arguments)}
    return tuple(sorted(values.values()))


def recipe_of(name: str) -> str:
    """The first column with the same flags and records: identical runs are done once, as its."""
    return next(
        other
        for other, column in COLUMNS.items()
        if column.records == COLUMNS[name].records and flags_of(other) == flags_of(name)
    )


def first_of_group(name: str) -> str:
    """The column that a column is compared with."""
    group = COLUMNS[name].group
    return next(other for other, column in COLUMNS.items() if column.group == group)


@functools.cache
def paper_figures() -> dict[str, dict[str, float]]:
    """Column -> figure -> the paper's number, in percent."""
    table = read_json_object(PAPER)
    return {
        name: dict(zip(table["figures"], values, strict=True))
        for name, values in table["columns"].items()
    }
