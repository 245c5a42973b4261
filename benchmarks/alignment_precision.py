"""How well aligned pairs sit, where the truth is known: the drawn catalogue, whose manifest says
where each part is.

    python -m data_prep.write_sample_catalogue --output_dir=shop --num_products=960
    (write_kaleido_records, train_word_evidence, write_alignments)
    python -m benchmarks.alignment_precision --records=records/valid --catalogue=shop

A pair of a word and a patch is right if the part's box and the patch overlap by the rule of
docs/alignments.md (share of the smaller that lies in the other, at least a half). Chance: the share
of the patches of its level that would be right for that word. Words that name the whole product or
its pattern are right nearly everywhere, so parts stand on their own. How many pairs one gets and
how many of them are right is a trade: the surest of them, by their scores, are counted, too.
"""

import collections
import json
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from absl import flags

from data_prep.alignment.alignments import ALIGNED_LEVELS, AlignmentSettings, covered_patches
from data_prep.alignment.named_boxes import NamedBox, regions_of
from data_prep.catalogue.products import MANIFEST_NAME
from kaleido_tf import patches
from kaleido_tf.command import run_command
from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import find_files
from kaleido_tf.records.record import Record
from kaleido_tf.records.shards import read_photos
from kaleido_tf.text import Vocabulary
from kaleido_tf.words import stem, words_of

flags.DEFINE_string(
    "records", None, "Folder of records with alignments, of a drawn catalogue.", required=True
)
flags.DEFINE_string("catalogue", None, "Folder of the drawn catalogue.", required=True)
FLAGS = flags.FLAGS
_TRUE = AlignmentSettings(
    mass=1.0, overlap=0.5, patches_a_level=max(patches.LEVEL_PATCHES.values())
)


def true_patches(boxes: list[NamedBox], crop_box) -> dict[str, set[int]]:
    """Stem of each word to the patches that show it."""
    return {
        stem(region.word): {patch for patch, _ in covered_patches(region.heat, _TRUE)}
        for region in regions_of(boxes, crop_box)
    }


def level_of(patch: int) -> str:
    return next(
        level
        for level in ALIGNED_LEVELS
        if patch in range(patches.NUM_PATCHES)[patches.level_slice(level)]
    )


def judge(record: Record, parts: list[dict], vocabulary: Vocabulary):
    """Yields (word, whether it names a part, level, whether the pair is right, chance, score) of
    each pair whose word has a box, and None for others.
    """
    crop_box = list(record.crop_box)
    truth = true_patches(
        [NamedBox(part["word"], tuple(part["box"]), 1.0) for part in parts], crop_box
    )
    widest = max(
        (part["box"][2] - part["box"][0]) * (part["box"][3] - part["box"][1]) for part in parts
    )
    whole = {
        stem(part["word"])
        for part in parts
        if (part["box"][2] - part["box"][0]) * (part["box"][3] - part["box"][1]) == widest
    }
    words = words_of(record.token_ids, vocabulary)
    word_at = {token: word for word in words for token in range(word.start, word.end)}
    # the pieces of a word share its patches and scores
    pairs = {
        (word_at[token].start, patch): score
        for token, patch, score in zip(*(part.tolist() for part in record.alignments), strict=True)
    }
    for (start, patch), score in sorted(pairs.items()):
        word, level = word_at[start], level_of(patch)
        if word.stem not in truth:
            yield None
            continue
        members = range(patches.NUM_PATCHES)[patches.level_slice(level)]
        chance = len(truth[word.stem] & set(members)) / len(members)
        yield word.stem, word.stem not in whole, level, patch in truth[word.stem], chance, score


def main(_):
    with open(os.path.join(FLAGS.catalogue, MANIFEST_NAME), encoding="utf-8") as lines:
        products = {row["product_id"]: row for row in map(json.loads, lines)}
    vocabulary = Vocabulary(os.path.join(FLAGS.records, "vocab.txt"))
    judged, without, aligned, count = [], 0, 0, 0
    for record in read_photos(find_files(FLAGS.records)):
        product = products.get(record.product_id)
        if product is None or not product.get("parts"):
            raise InputError(
                f"A drawn catalogue with `parts` is needed. {FLAGS.catalogue} has none for a"
                f" product of {FLAGS.records}"
            )
        verdicts = list(judge(record, product["parts"], vocabulary))
        count, aligned = count + 1, aligned + bool(verdicts)
        without += verdicts.count(None)
        judged += [verdict for verdict in verdicts if verdict]
    if not judged:
        raise InputError(
            f"Records with aligned pairs are needed (data_prep.write_alignments). {FLAGS.records}"
            " has none"
        )
    print(
        f"{FLAGS.records}: {aligned} of {count} products have pairs,"
        f" {(len(judged) + without) / count:.1f} pairs of a word and a patch a product; {without}"
        " pairs of words without a box (colours, fabrics) are not judged"
    )
    of_parts = [verdict for verdict in judged if verdict[1]]
    _print("words of parts", of_parts)
    for share, surest in surest_of(of_parts):
        _print(f"  the surest {share:.0%}", surest)
    for level in ALIGNED_LEVELS:
        _print(f"  {level}", [verdict for verdict in of_parts if verdict[2] == level])
    _print("words of the whole", [verdict for verdict in judged if not verdict[1]])
    by_word = collections.defaultdict(list)
    for verdict in of_parts:
        by_word[verdict[0]].append(verdict)
    for word, verdicts in sorted(by_word.items(), key=lambda item: -len(item[1]))[:12]:
        _print(f"  {word}", verdicts)


def surest_of(verdicts: list, shares=(0.25, 0.5, 0.75)) -> list[tuple[float, list]]:
    """(share, as many of the verdicts, those with the highest scores); none of no verdicts."""
    falling = sorted(verdicts, key=lambda verdict: -verdict[5])
    return [(share, falling[: round(share * len(falling))]) for share in shares if falling]


def _print(name: str, verdicts: list) -> None:
    if verdicts:
        right, chance = (
            np.mean([verdict[3] for verdict in verdicts]),
            np.mean([verdict[4] for verdict in verdicts]),
        )
        print(f"{name}: {len(verdicts)} pairs, {right:.1%} right (chance {chance:.1%})")


if __name__ == "__main__":
    run_command(main)
