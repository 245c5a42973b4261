"""Result files as figures with what they are held against: an interval, a yardstick, chance.

Title and explanation of a group say how its figures were counted: figures of two models stand in
one table only where these are the same.
"""

import dataclasses
from collections.abc import Sequence

DIRECTIONS = {"img2txt": "Image-to-text", "txt2img": "Text-to-image"}
TASKS = {"catepred": "category", "subcatepred": "sub-category"}
SEEN = {"both": "photo and text", "image": "photo", "text": "text"}
CAPTION_FIGURES = {
    "cider": "CIDEr",
    "bleu_1": "BLEU-1",
    "bleu_2": "BLEU-2",
    "bleu_3": "BLEU-3",
    "bleu_4": "BLEU-4",
    "rouge_l": "ROUGE-L",
    "meteor": "METEOR",
}
NEAREST, RANDOM = "nearest_photo", "random_text"


@dataclasses.dataclass(frozen=True)
class Figure:
    """A number, and what it is held against where that is known. `percent`: how it is shown."""

    name: str
    value: float | None
    interval: tuple[float, float] | None = None
    yardstick: float | None = None
    chance: float | None = None
    percent: bool = False

    def shown(self, value: float | None) -> str:
        """A value in this figure's form; "-" for none."""
        if value is None:
            return "-"
        return f"{value:.2%}" if self.percent else f"{value:.4f}"

    def shown_interval(self) -> str:
        """The interval in this figure's form; "-" for none."""
        return " to ".join(map(self.shown, self.interval)) if self.interval else "-"


@dataclasses.dataclass(frozen=True)
class FigureGroup:
    """Figures counted in one way. `explained`: what yardstick and chance are. `facts`: what else
    there is to say of this model, by name. `verdicts`: what the model is to its yardstick.
    """

    title: str
    figures: tuple[Figure, ...]
    explained: str
    facts: dict[str, str]
    verdicts: tuple[str, ...] = ()


def retrieval_figures(content: dict) -> FigureGroup:
    """Of `retrieval_metrics.json`. Raises: KeyError, TypeError or ValueError for another file."""
    size, direction = content["candidates_per_query"], content["type"]
    low, high = int(size["smallest"]), int(size["largest"])
    lists = f"lists of {low}" + (f" to {high}" if high > low else "") + " candidates"
    ranks = [key for key in content if key.startswith("rank@")]
    verdict = content.get("verdict")  # of a run that was fine-tuned to rank
    yardsticks = {"rank@1": float(verdict["yardstick"])} if verdict else {}
    figures = [
        Figure(
            f"Rank@{key[5:]} ({direction}, {lists})",
            float(content[key]),
            _pair(content["interval_95"][key]),
            yardsticks.get(key),
            chance=float(content["chance"][key]),
            percent=True,
        )
        for key in ranks
    ]
    auc, chance = content["auc"], content["accuracy_chance"]
    figures.append(Figure("AUC of all pairs", None if auc is None else float(auc), chance=0.5))
    figures.append(
        Figure("accuracy of all pairs", float(content["accuracy"]), chance=chance, percent=True)
    )
    return FigureGroup(
        f"{DIRECTIONS[direction]} retrieval ({direction}): {content['queries']} queries, {lists},"
        f" ties counted as {content['ties_counted']}",
        tuple(figures),
        f"Protocol: {content['protocol']}. Chance: a list in any order; for the accuracy, always"
        " the more frequent label."
        + (" Yardstick: the model's comparison of words with patches alone." if verdict else ""),
        {
            "queries without a positive": str(content["queries_without_positive"]),
            "queries with ties": str(content["queries_with_ties"]),
        },
        _verdicts([verdict] if verdict else []),
    )


def recognition_figures(content: dict) -> FigureGroup:
    """Of `recognition.json`. Raises: KeyError, TypeError or ValueError for another file."""
    task, examples, yardstick = content["task"], content["examples"], content["yardstick"]
    chance = always_the_most_frequent(content["classes"], examples)
    names = {
        "accuracy": "accuracy",
        "macro_f1": f"macro-F1 over {content['macro_f1_averages']}",
        "weighted_f1": "F1 weighted by examples",
    }
    figures = [
        Figure(
            name,
            float(content[key]),
            _pair(content["interval_95"].get(key)),
            None if yardstick is None else float(yardstick[key]),
            chance.get(key),
        )
        for key, name in names.items()
    ]
    facts = {"the model sees": SEEN.get(content["modalities"], content["modalities"])}
    if content["unseen_classes"]:
        facts["examples of classes that training never saw"] = str(
            sum(content["unseen_classes"].values())
        )
    verdicts = [] if content["verdict"] is None else [content["verdict"]]
    return FigureGroup(
        f"Recognition of {TASKS.get(task, task)} ({task}): {examples} examples of"
        f" {content['products']} products",
        tuple(figures),
        "Yardstick: nearest neighbours among the training records, on the backbone's features."
        " Chance: always the most frequent class of training.",
        facts,
        _verdicts(verdicts),
    )


def always_the_most_frequent(classes: dict[str, dict], examples: int) -> dict[str, float]:
    """Figures of a guess that is always the class with the most training examples."""
    support = max(classes.values(), key=lambda entry: entry["train"])["support"]
    there = sum(entry["support"] > 0 for entry in classes.values())
    f1 = 2 * support / (examples + support)
    share = support / examples
    return {"accuracy": share, "macro_f1": f1 / there, "weighted_f1": f1 * share}


def caption_figures(content: dict) -> FigureGroup:
    """Of `captions.json`. Raises: KeyError, TypeError or ValueError for another file."""
    words, yardsticks = content["tokenizer"], content["yardsticks"]
    beside = {name: yardsticks.get(name, {}) for name in (NEAREST, RANDOM)}
    figures = [
        Figure(
            f"{title}, {words} tokens",
            float(content[f"{key}_{words}"]),
            _pair(content["interval_95"].get(f"{key}_{words}")),
            beside[NEAREST].get(f"{key}_{words}"),
            beside[RANDOM].get(f"{key}_{words}"),
        )
        for key, title in CAPTION_FIGURES.items()
        if f"{key}_{words}" in content
    ]
    return FigureGroup(
        f"Captions: {content['products']} products, {words} tokens",
        tuple(figures),
        "Yardstick: the text of the training product with the nearest photo. Chance: any text of"
        " training.",
        {"attention": content["attention"], "photos of a product": content["photos"]},
        _verdicts(content["verdicts"]),
    )


def _verdicts(verdicts: Sequence[dict]) -> tuple[str, ...]:
    words = {
        "better": "better than the yardstick",
        "worse": "worse than the yardstick",
        "no difference": "no difference to the yardstick that these examples could show",
    }
    told = []
    for verdict in verdicts:
        low, high = _pair(verdict["interval"])
        told.append(
            f"{verdict['figure']}: {words[verdict['verdict']]}, difference"
            f" {verdict['difference']:+.4f} (95% interval {low:+.4f} to {high:+.4f})"
        )
    return tuple(told)


def _pair(values) -> tuple[float, float] | None:
    if values is None:
        return None
    low, high = map(float, values)
    return low, high
