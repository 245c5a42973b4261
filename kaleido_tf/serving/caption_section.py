"""Captions beside what people wrote and beside the text of the nearest photo."""

from collections.abc import Sequence

from kaleido_tf.serving.markup import Markup, joined, tag
from kaleido_tf.serving.photos import Photos
from kaleido_tf.serving.run_results import Description


def caption_cases(descriptions: Sequence[Description], photos: Photos, count: int) -> Markup:
    """The captions with the highest and those with the lowest CIDEr, `count` of each at most and
    none in both.
    """
    ordered = sorted(descriptions, key=lambda each: -each.score)
    best, worst = ordered[:count], ordered[max(count, len(ordered) - count) :][::-1]
    parts = []
    for title, cases, order in (("Best", best, "highest"), ("Worst", worst, "lowest")):
        told = f"{len(cases)} of {len(ordered)} captions, by the {order} CIDEr of their product."
        parts += [
            tag("h4", f"{title} cases"),
            tag("p", told),
            tag("ul", *(_case(each, photos) for each in cases), class_="captions"),
        ]
    return joined(parts)


def _case(case: Description, photos: Photos) -> Markup:
    texts = [("caption of the model", case.caption)]
    texts += [("reference", text) for text in case.references]
    if case.nearest is not None:
        texts.append(("yardstick: the nearest photo's text", case.nearest))
    said = [joined([tag("dt", name), tag("dd", text or "(blank)")]) for name, text in texts]
    shown = photos.shown(case.image_id, case.product_id)
    return tag(
        "li",
        *([shown] if shown else []),
        tag(
            "div",
            photos.named(case.image_id, case.product_id),
            tag("p", f"CIDEr {case.score:.3f}"),
            tag("dl", *said),
        ),
    )
