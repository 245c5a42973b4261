"""The `--input_schema` of the original: which columns a row of its data files has, in order.

`name:type:length` for each column, with a comma between columns; types are int, float, str and
base64.
"""

import dataclasses

from kaleido_tf.errors import InputError

KINDS = ("int", "float", "str", "base64")

CAMOUFLAGE_BOXES = "img_loc_position_camouflage"
"""The column whose length the released scripts declare as 35, although its rows hold nine boxes of
five numbers.
"""


@dataclasses.dataclass(frozen=True)
class Column:
    """One column: its name, its type (one of `KINDS`) and the length that the schema declares."""

    name: str
    kind: str
    length: int

    @property
    def values(self) -> int:
        """Values that a row must hold: the declared length, but 45 for the 35 of the released
        scripts.
        """
        return 45 if (self.name, self.length) == (CAMOUFLAGE_BOXES, 35) else self.length

    def count_needed(self) -> str:
        """The number of values in words, for messages."""
        if self.values == self.length:
            return f"{self.values} value{'s' if self.values > 1 else ''}"
        return (
            f"{self.values} values (nine boxes of five numbers; the declared {self.length} is a"
            " slip of the released schema)"
        )


def parse_schema(text: str) -> tuple[Column, ...]:
    """The columns of a schema string, in order.

    Raises: InputError naming the column: a part missing, an unknown type, a length below 1, a name
      that comes twice.
    """
    columns: dict[str, Column] = {}
    for number, part in enumerate(text.split(","), start=1):
        column = _column(part, f"--input_schema column {number}")
        if column.name in columns:
            raise InputError(
                f"--input_schema column {number}: every name once is needed. Received twice:"
                f" {column.name}"
            )
        columns[column.name] = column
    return tuple(columns.values())


def _column(part: str, where: str) -> Column:
    pieces = [piece.strip() for piece in part.split(":")]
    if len(pieces) != 3 or not all(pieces):
        raise InputError(f"{where}: name:type:length is needed. Received: {part!r}")
    name, kind, length = pieces
    if kind not in KINDS:
        raise InputError(
            f"{where} ({name}): a type of {', '.join(KINDS)} is needed. Received: {kind}"
        )
    if not (length.isascii() and length.isdigit() and int(length) >= 1):
        raise InputError(
            f"{where} ({name}): a whole length of at least 1 is needed. Received: {length}"
        )
    return Column(name, kind, int(length))


def format_schema(columns: tuple[Column, ...]) -> str:
    """The schema string of `columns`: the inverse of `parse_schema`."""
    return ",".join(f"{column.name}:{column.kind}:{column.length}" for column in columns)
