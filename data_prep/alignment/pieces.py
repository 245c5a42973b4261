"""The word pieces that a set of texts is made of, numbered from 0: the words of small networks that
learn from one catalogue.
"""

from collections.abc import Sequence

from kaleido_tf.text import Vocabulary

PAD, START, END, UNKNOWN = range(4)
"""What the first four pieces are; they stand for no word."""


def pieces_of(texts: list[list[int]], vocabulary: Vocabulary) -> tuple[int, ...]:
    """Vocabulary ids of the pieces of texts, after the four special ones (the end is [SEP], the
    start [CLS]).
    """
    special = (vocabulary.pad_id, vocabulary.cls_id, vocabulary.sep_id, vocabulary.unk_id)
    return (*special, *sorted({int(number) for text in texts for number in text} - set(special)))


def numbers_of(token_ids: Sequence[int], pieces: Sequence[int]) -> list[int]:
    """The numbers of a text's pieces; those that no training text held are `UNKNOWN`."""
    number_of = {piece: number for number, piece in enumerate(pieces)}
    return [number_of.get(int(piece), UNKNOWN) for piece in token_ids]
