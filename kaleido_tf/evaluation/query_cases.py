"""What a result file says of each query: where its right answer came, and what came first."""

import dataclasses

from kaleido_tf.evaluation.protocols import query_ids
from kaleido_tf.evaluation.rank_metrics import group_pairs
from kaleido_tf.evaluation.result_files import ResultFile


@dataclasses.dataclass(frozen=True)
class Side:
    """A text or an image of a pair: product_id, and for an image image_id ("" for a text)."""

    product_id: str
    image_id: str = ""


@dataclasses.dataclass(frozen=True)
class QueryCase:
    """A query with its right answer and the best one that is wrong (None where there is none).

    rank: place of the right answer, from 1 on; with equal scores the mean of its places.
    candidates: of how many. margin: its match logit less that of `rival`.
    """

    direction: str
    query: Side
    right: Side
    rival: Side | None
    rank: float
    candidates: int
    margin: float


def query_cases(result: ResultFile, direction: str) -> list[QueryCase]:
    """Of all queries that have a right answer, in the file's order. `direction`: img2txt or
    txt2img.
    """
    texts = [Side(product_id.strip()) for product_id in result.text_ids]
    images = [
        Side(product_id.strip(), image_id.strip())
        for product_id, image_id in zip(result.image_ids, result.image_file_ids)
    ]
    asked, answers = (images, texts) if direction == "img2txt" else (texts, images)
    cases = []
    for pairs in group_pairs(query_ids(result, direction, "average")):
        scores, positive = result.logits[pairs, 1], result.labels[pairs] == 1
        if not positive.any():
            continue
        right = pairs[positive][scores[positive].argmax()]
        best, others = scores[positive].max(), scores[~positive]
        rival = pairs[~positive][others.argmax()] if len(others) else None
        cases.append(
            QueryCase(
                direction,
                asked[right],
                answers[right],
                None if rival is None else answers[rival],
                1 + float((others > best).sum()) + (others == best).sum() / 2,
                len(pairs),
                float(best - others.max()) if len(others) else 0.0,
            )
        )
    return cases
