"""What an evaluation of captions leaves: `captions.json`, `captions.jsonl`, and a few lines.

E = products.
"""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from kaleido_tf.evaluation.caption_scores import CaptionScores
from kaleido_tf.evaluation.caption_tokenizers import PTB, meteor, penn_treebank, words
from kaleido_tf.evaluation.verdict import Verdict, compare, interval_of
from kaleido_tf.files.whole_files import write_json, write_whole

RESULT, LINES = "captions.json", "captions.jsonl"
JUDGED = ("cider", "bleu_4")
"""Figures that verdicts are given on."""


@dataclasses.dataclass(frozen=True)
class Judged:
    """Captions with their scores. `texts`: [E]. `meteor`: of the corpus; None without ptb."""

    texts: Sequence[str]
    scores: CaptionScores
    meteor: float | None

    def figures(self, tokenizer: str) -> dict[str, float]:
        """Every figure; its name ends in that of the tokenizer."""
        values = self.scores.figures()
        if self.meteor is not None:
            values["meteor"] = self.meteor
        return {f"{name}_{tokenizer}": value for name, value in values.items()}


def judge_captions(
    captions: Mapping[str, Sequence[str]], references: Sequence[Sequence[str]], tokenizer: str
) -> dict[str, Judged]:
    """Scores captions of several kinds against the same references.

    Args: captions: name -> [E] texts. references: of each product one or more. tokenizer: words or
      ptb (see caption_tokenizers.py).
    Raises: InputError as `CaptionScores` and `penn_treebank`.
    """
    texts = [text for of_kind in captions.values() for text in of_kind]
    flat = [text for each in references for text in each]
    tokens = iter(
        penn_treebank([*texts, *flat]) if tokenizer == PTB else map(words, [*texts, *flat])
    )
    said = {name: [next(tokens) for _ in of_kind] for name, of_kind in captions.items()}
    wanted = [[next(tokens) for _ in each] for each in references]
    return {
        name: Judged(
            captions[name],
            CaptionScores(of_kind, wanted),
            meteor(of_kind, wanted)[0] if tokenizer == PTB else None,
        )
        for name, of_kind in said.items()
    }


def verdicts(
    model: Judged, yardstick: Judged, tokenizer: str, products: Sequence[str]
) -> list[Verdict]:
    """Whether the model's captions are better than the yardstick's, by each of `JUDGED`."""

    def figure(judged: Judged, name: str):
        if name == "cider":
            return lambda numbers: float(judged.scores.cider[numbers].mean())
        return lambda numbers: judged.scores.bleu(numbers)[3]

    return [
        compare(f"{name}_{tokenizer}", figure(yardstick, name), figure(model, name), products)
        for name in JUDGED
    ]


def figures_line(title: str, judged: Judged, tokenizer: str) -> str:
    """The figures in a line."""
    values = judged.figures(tokenizer).items()
    return f"{title}: " + ", ".join(f"{name} {value:.4f}" for name, value in values)


def write_caption_report(
    folder: pathlib.Path,
    judged: Mapping[str, Judged],
    tokenizer: str,
    judgements: Sequence[Verdict],
    products: Sequence[str],
    settings: dict,
) -> None:
    """Writes `captions.json`. Args: judged: `model`, and the yardsticks by name."""
    scores = judged["model"].scores
    low_high = {
        f"cider_{tokenizer}": interval_of(lambda n: float(scores.cider[n].mean()), products),
        f"bleu_4_{tokenizer}": interval_of(lambda n: scores.bleu(n)[3], products),
    }
    content = {
        **settings,
        "products": len(products),
        "tokenizer": tokenizer,
        "left_out": [] if tokenizer == PTB else ["meteor (needs the extra captions)"],
        **judged["model"].figures(tokenizer),
        "interval_95": {name: list(pair) for name, pair in low_high.items()},
        "yardsticks": {
            name: each.figures(tokenizer) for name, each in judged.items() if name != "model"
        },
        "verdicts": [each.content() for each in judgements],
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / RESULT, content)


def write_captions(path: pathlib.Path, columns: Mapping[str, Sequence]) -> None:
    """Writes a JSON line a product. Args: columns: name -> [E] values."""
    rows = [dict(zip(columns, map(_plain, values))) for values in zip(*columns.values())]
    write_whole(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _plain(value):
    return value.item() if isinstance(value, np.generic) else value
