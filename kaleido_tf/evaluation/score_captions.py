"""Scores captions of any origin: `python -m kaleido_tf.evaluation.score_captions CAPTIONS
--references=FILE`. No TensorFlow in here.

CAPTIONS: JSON lines with `product_id` and `caption`, as `finetune_main.py --task=caption` writes
them. References: JSON lines with `product_id` and `references` (a list), or a catalogue's
`products.jsonl`, whose `description` is the reference. `--than` names other captions of the same
products, and tells how much better these are.
"""

import json
import os
import pathlib
from collections.abc import Sequence

from absl import flags

from kaleido_tf.command import run_command
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.caption_report import Judged, figures_line, judge_captions, verdicts
from kaleido_tf.evaluation.caption_tokenizers import TOKENIZERS, chosen_tokenizer
from kaleido_tf.files.text_files import read_lines
from kaleido_tf.files.whole_files import check_writable, write_json

flags.DEFINE_string("references", None, "What people wrote of the products.", required=True)
flags.DEFINE_enum(
    "caption_words",
    None,
    TOKENIZERS,
    "Tokenizer: words is built in, ptb (COCO's, which METEOR needs) comes with the extra captions;"
    " default: ptb where that is installed.",
)
flags.DEFINE_string(
    "than",
    None,
    "Other captions of the same products: prints how CIDEr and BLEU-4 differ from theirs, with the"
    " 95% interval (paired bootstrap by product).",
)
flags.DEFINE_string("output_json", None, "Writes the figures there, too.")
FLAGS = flags.FLAGS
_LISTED = 5
"""Ids that a message shows before it only counts."""


def read_captions(path: str | os.PathLike) -> dict[str, str]:
    """Product id -> caption. Raises: InputError naming the line, or an id that is there twice."""
    return _read(path, lambda row: row["caption"], str, "{product_id, caption}")


def read_references(path: str | os.PathLike) -> dict[str, list[str]]:
    """Product id -> references. Raises: InputError as `read_captions`."""

    def of(row):
        return row["references"] if "references" in row else [row["description"]]

    wanted = "{product_id, references} or {product_id, description}"
    return _read(path, of, list, wanted)


def _read(path, value_of, kind: type, wanted: str) -> dict:
    values: dict = {}
    for number, line in enumerate(read_lines(path), start=1):
        where = f"{path} line {number}"
        try:
            row = json.loads(line)
            product, value = row["product_id"], value_of(row)
            texts = value if kind is list else [value]
            if not isinstance(product, str) or not all(isinstance(text, str) for text in texts):
                raise TypeError("ids and texts are strings")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(
                f"{where}: needed {wanted} as JSON. Received: {line[:80]!r} ({error})"
            ) from error
        if product in values:
            raise InputError(f"{where}: each product once is needed. Received {product} again")
        values[product] = value
    if not values:
        raise InputError(f"{wanted} as JSON lines is needed. {path} holds none")
    return values


def read_others(path: str | os.PathLike, products: Sequence[str]) -> list[str]:
    """The captions in another file, in the order of `products`. Raises: InputError as
    `read_captions`, or for other products.
    """
    captions = read_captions(path)
    if captions.keys() != set(products):
        raise InputError(
            f"--than: captions of the same products are needed. {path} has {len(captions)}, of"
            f" which {len(captions.keys() & set(products))} are among the {len(products)} of"
            " CAPTIONS"
        )
    return [captions[product] for product in products]


def main(argv: list[str]) -> None:
    """Scores the captions of the file that the command names."""
    captions, references = read_captions(argv[1]), read_references(FLAGS.references)
    products = list(captions)
    missing = [product for product in captions if product not in references]
    if missing:
        raise InputError(
            f"References of every caption's product are needed. {FLAGS.references} has none of"
            f" {len(missing)}: {', '.join(missing[:_LISTED])}"
        )
    if FLAGS.output_json:
        check_writable(pathlib.Path(FLAGS.output_json).parent)
    tokenizer = chosen_tokenizer(FLAGS.caption_words)
    texts = {"captions": list(captions.values())}
    if FLAGS.than:
        texts["others"] = read_others(FLAGS.than, products)
    judged = judge_captions(texts, [references[product] for product in products], tokenizer)
    ours = judged["captions"]
    print(figures_line(f"{len(captions)} captions", ours, tokenizer))
    if FLAGS.than:
        _print_differences(ours, judged["others"], tokenizer, products)
    if FLAGS.output_json:
        write_json(pathlib.Path(FLAGS.output_json), ours.figures(tokenizer))


def _print_differences(ours: Judged, others: Judged, tokenizer: str, products: list[str]) -> None:
    for each in verdicts(ours, others, tokenizer, products):
        low, high = each.interval
        print(
            f"{each.figure}: difference {each.difference:+.4f} (95% {low:+.4f} to {high:+.4f}) to"
            f" the {each.examples} captions of {FLAGS.than}: {each.word}"
        )


if __name__ == "__main__":
    run_command(main, arguments=("CAPTIONS",))
