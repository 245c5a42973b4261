"""What a model recognises and what it takes for something else: the confusion, a bar for every
class, the surest hits and the surest misses.
"""

from collections.abc import Sequence

from kaleido_tf.serving.markup import Markup, joined, scrolling, table, tag
from kaleido_tf.serving.photos import Photos
from kaleido_tf.serving.run_results import Confusion, Prediction

MOST_CLASSES, FEWER_CLASSES = 60, 40
"""Classes up to which the confusion shows all; of more, how many it shows."""
MOST_BARS = 150
OTHERS = "all others"


def confusion_table(confusion: Confusion) -> Markup:
    """Counts, shaded by their share of the row; of many classes, those with the most examples."""
    shown, note = _shown(confusion), ""
    if len(shown) < len(confusion.names):
        note = (
            f" Of {len(confusion.names)} classes these are the {len(shown)} with the most examples;"
            f" “{OTHERS}” is everything else that was predicted."
        )
    names = [confusion.names[n] for n in shown]
    heads = [tag("th", tag("span", name), scope="col") for name in names]
    heads += [tag("th", tag("span", OTHERS), scope="col")] if note else []
    rows = [
        tag("tr", tag("th", f"{name} ({sum(counts)})", scope="row"), *_cells(name, counts, names))
        for name, counts in ((confusion.names[n], _row(confusion, n, shown)) for n in shown)
    ]
    caption = "Confusion: rows are the true classes (with their examples), columns the predictions."
    content = tag(
        "table",
        tag("caption", caption + note),
        tag("thead", tag("tr", tag("td", ""), *heads)),
        tag("tbody", *rows),
        class_="confusion",
    )
    return scrolling(content, "Confusion")


def _shown(confusion: Confusion) -> list[int]:
    """Numbers of the classes that are shown, in their order."""
    numbers = list(range(len(confusion.names)))
    if len(numbers) <= MOST_CLASSES:
        return numbers
    return sorted(sorted(numbers, key=lambda n: -sum(confusion.counts[n]))[:FEWER_CLASSES])


def _row(confusion: Confusion, number: int, shown: Sequence[int]) -> list[int]:
    counts = confusion.counts[number]
    here = [counts[n] for n in shown]
    return here if len(here) == len(counts) else [*here, sum(counts) - sum(here)]


def _cells(true: str, counts: Sequence[int], names: Sequence[str]) -> list[Markup]:
    total, cells = sum(counts), []
    for name, count in zip([*names, OTHERS], counts):
        if not count:
            cells.append(tag("td", ""))
            continue
        told = f"{true} recognised as {name}: {count} of {total}"
        kind = "hit" if name == true else "miss"
        share = f"--share:{count / total:.2f}"
        cells.append(tag("td", count, title=told, class_=kind, style=share))
    return cells


def class_bars(confusion: Confusion) -> Markup:
    """F1 of every class as a bar, with its examples here and in training."""
    ordered = sorted(confusion.scores.items(), key=lambda item: (-item[1][1], item[0]))
    rows = [
        (name, _bar(f1), f"{f1:.2f}", support, train)
        for name, (f1, support, train) in ordered[:MOST_BARS]
    ]
    caption = "F1 of every class, those with the most examples first"
    if len(ordered) > MOST_BARS:
        caption = f"F1 of the {MOST_BARS} classes with the most examples, of {len(ordered)}"
    caption += "; beside it the examples that were evaluated, and those of training."
    heads = ("class", tag("span", "bar of F1", class_="unseen"), "F1", "here", "training")
    return table(caption, heads, rows, "bars")


def _bar(share: float) -> Markup:
    bar = tag("div", "", class_="bar", style=f"width:{100 * share:.1f}%")
    return tag("td", bar, class_="track", aria_hidden="true")


def recognition_cases(predictions: Sequence[Prediction], photos: Photos, count: int) -> Markup:
    """The hits with the highest probability of the true class, and the misses with the highest
    probability of the predicted one; `count` of each at most.
    """
    hits = [each for each in predictions if each.true == each.predicted]
    misses = [each for each in predictions if each.true != each.predicted]
    hits.sort(key=lambda each: -each.probability_true)
    misses.sort(key=lambda each: -each.probability_predicted)
    best, worst = hits[:count], misses[:count]
    return joined(
        [
            tag("h4", "Best cases"),
            tag(
                "p",
                f"{len(best)} of {len(hits)} examples that were recognised, by the probability of"
                " their class.",
            ),
            tag("ul", *(_case(each, photos) for each in best), class_="cases"),
            tag("h4", "Worst cases"),
            tag(
                "p",
                f"{len(worst)} of {len(misses)} examples that were taken for another class, by the"
                " probability of that class.",
            ),
            tag("ul", *(_case(each, photos) for each in worst), class_="cases"),
        ]
    )


def _case(case: Prediction, photos: Photos) -> Markup:
    lines = [photos.named(case.image_id, case.product_id)]
    lines.append(tag("p", f"true: {case.true} ({case.probability_true:.1%})"))
    if case.true != case.predicted:
        lines.append(tag("p", f"predicted: {case.predicted} ({case.probability_predicted:.1%})"))
    shown = photos.shown(case.image_id, case.product_id)
    return tag("li", *([shown] if shown else []), tag("div", *lines))
