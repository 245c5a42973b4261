"""Queries of retrieval with the answer that was right and the best one that was wrong."""

from collections.abc import Sequence

from kaleido_tf.evaluation.query_cases import QueryCase, Side
from kaleido_tf.serving.markup import Markup, joined, tag
from kaleido_tf.serving.photos import Photos

ASKED = {"img2txt": "the text of a photo", "txt2img": "the photo of a text"}


def retrieval_cases(queries: Sequence[QueryCase], photos: Photos, count: int) -> Markup:
    """For each direction the queries whose right answer came first by the widest margin, and those
    whose right answer came last; `count` of each at most and none in both.
    """
    parts = []
    for direction in dict.fromkeys(case.direction for case in queries):
        ordered = [case for case in queries if case.direction == direction]
        ordered.sort(key=lambda case: (case.rank, -case.margin))
        best, worst = ordered[:count], ordered[max(count, len(ordered) - count) :][::-1]
        for title, cases in (("Best", best), ("Worst", worst)):
            told = f"{len(cases)} of {len(ordered)} queries, by the place of the right answer"
            parts += [
                tag("h4", f"{title} cases: {ASKED[direction]}"),
                tag("p", f"{told} and its margin."),
                tag("ul", *(_case(case, photos) for case in cases), class_="captions"),
            ]
    return joined(parts)


def _case(case: QueryCase, photos: Photos) -> Markup:
    place = f"The right answer is number {case.rank:g} of {case.candidates}."
    sides = [("query", case.query), ("right answer", case.right)]
    if case.rival is not None:
        sides.append((_name_of_rival(case.margin), case.rival))
    shown = [part for name, side in sides for part in _side(name, side, photos)]
    return tag("li", tag("div", tag("p", place), tag("dl", *shown)))


def _name_of_rival(margin: float) -> str:
    if margin == 0:
        return "ties with it"
    return "came first" if margin < 0 else "next behind it"


def _side(name: str, side: Side, photos: Photos) -> list[Markup]:
    if not side.image_id:
        text = photos.text(side.product_id)
        said = [tag("p", text)] if text else []
        return [tag("dt", name), tag("dd", *said, tag("code", side.product_id))]
    photo = photos.shown(side.image_id, side.product_id)
    below = [photo] if photo else []
    return [tag("dt", name), tag("dd", *below, photos.named(side.image_id, side.product_id))]
