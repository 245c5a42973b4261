"""Pseudo-attributes (FashionViL, section 3.2): the words of a catalogue's texts that name a garment
or what it is like, and which of them a text holds.

N = texts, A = attributes. A word is what stands between blanks and punctuation, in lower case;
hyphens within hold it together ("v-neck"). The file (data_prep.write_pseudo_attributes) is text:

    # catalogue_digest=<64 hexadecimal digits> text_field=title_and_description
    sleeves	824
    waist	793

One attribute and how often it occurs a line, the most frequent first.
"""

import dataclasses
import functools
import os
import re
from collections.abc import Collection, Sequence

import tensorflow as tf
import tensorflow_text as tf_text

from kaleido_tf.errors import InputError
from kaleido_tf.files.text_files import read_lines
from kaleido_tf.files.whole_files import write_whole

_HEADER = re.compile(r"# catalogue_digest=([0-9a-f]{64}) text_field=(\w+)")
_LINE = re.compile(r"(\S+)\t([1-9][0-9]*)")


def words_in(texts: Sequence[str] | tf.Tensor) -> tf.RaggedTensor:
    """The words of each text: [N, words] string, in eager mode and in graphs."""
    lowered = tf.strings.lower(tf_text.normalize_utf8(texts, "NFC"), encoding="utf-8")
    spaced = tf.strings.regex_replace(lowered, r"[^\pL\pM\pN-]+|--+", " ")
    return tf.strings.split(tf.strings.regex_replace(spaced, r"(^| )-+|-+( |$)", " "))


def multi_hot(numbers: tf.RaggedTensor, size: int) -> tf.Tensor:
    """[N, A] float32: 1 / k at each of the k different attributes of a text, a row of zeros for
    none; what PAC's soft labels are.

    Args: numbers: [N, any] int64, with repetitions; those below 0 stand for nothing. size: A.
    """
    rows, kept = numbers.value_rowids(), numbers.values
    places = tf.boolean_mask(tf.stack([rows, kept], axis=1), kept >= 0)
    counts = tf.scatter_nd(places, tf.ones([tf.shape(places)[0]]), [numbers.nrows(), size])
    held = tf.minimum(counts, 1.0)
    return tf.math.divide_no_nan(held, tf.reduce_sum(held, axis=1, keepdims=True))


@dataclasses.dataclass(frozen=True)
class AttributeVocabulary:
    """The attributes of a catalogue.

    Attributes: words: [A] str, the most frequent first. counts: [A] int, how often each occurs.
      catalogue_digest: of the catalogue whose texts were counted. text_field: which of its texts.
    """

    words: tuple[str, ...]
    counts: tuple[int, ...]
    catalogue_digest: str
    text_field: str

    def __len__(self) -> int:
        return len(self.words)

    def numbers(self, texts: Sequence[str] | tf.Tensor) -> tf.RaggedTensor:
        """[N, words] int64: which attribute each word of texts [N] is, -1 for none."""
        return tf.ragged.map_flat_values(self._table.lookup, words_in(texts))

    def labels(self, texts: Sequence[str] | tf.Tensor) -> tf.Tensor:
        """[N, A] float32 of texts [N], as `multi_hot`; in graphs, too."""
        return multi_hot(self.numbers(texts), len(self))

    @functools.cached_property
    def _table(self):
        with tf.init_scope():  # a table made inside of a graph would be lost with it
            entries = tf.lookup.KeyValueTensorInitializer(
                tf.constant(self.words), tf.range(len(self), dtype=tf.int64)
            )
            return tf.lookup.StaticHashTable(entries, -1)


def write_attributes(path: str | os.PathLike, vocabulary: AttributeVocabulary) -> None:
    """Writes the file of the module. Raises: InputError if the disk refuses."""
    header = (
        f"# catalogue_digest={vocabulary.catalogue_digest} text_field={vocabulary.text_field}\n"
    )
    pairs = zip(vocabulary.words, vocabulary.counts, strict=True)
    write_whole(path, header + "".join(f"{word}\t{count}\n" for word, count in pairs))


def read_attributes(
    path: str | os.PathLike, catalogue_digests: Collection[str] | None = None
) -> AttributeVocabulary:
    """Reads the file of the module.

    Args: catalogue_digests: of the catalogues (as `dataset.json` says them) of which it must be of
      one; None: of any.
    Raises: InputError for a file of another form or catalogue, without words, or with one twice.
    """
    header, *lines = read_lines(path) or [""]
    match = _HEADER.fullmatch(header)
    if not match:
        raise InputError(
            f"{path} line 1: '# catalogue_digest=... text_field=...' is needed"
            f" (data_prep.write_pseudo_attributes writes it). Received: {header[:60]!r}"
        )
    if catalogue_digests is not None and match[1] not in catalogue_digests:
        known = ", ".join(f"{digest[:12]}…" for digest in sorted(catalogue_digests)) or "none"
        raise InputError(
            f"{path}: the pseudo-attributes of the records' catalogue ({known}) are needed"
            " (data_prep.write_pseudo_attributes with the --catalogue of the records). Received:"
            f" those of the catalogue {match[1][:12]}…"
        )
    counts = _counts(lines, path)
    if not counts:
        raise InputError(f"{path}: at least one pseudo-attribute is needed. Received: none")
    return AttributeVocabulary(tuple(counts), tuple(counts.values()), *match.groups())


def _counts(lines: list[str], path) -> dict[str, int]:
    counts: dict[str, int] = {}
    for number, line in enumerate(lines, start=2):
        match = _LINE.fullmatch(line)
        if not match:
            raise InputError(
                f"{path} line {number}: a word, a tab and a count above 0 are needed."
                f" Received: {line[:60]!r}"
            )
        if match[1] in counts:
            raise InputError(
                f"{path} line {number}: every pseudo-attribute once is needed."
                f" Received: {match[1]!r} twice"
            )
        counts[match[1]] = int(match[2])
    return counts
