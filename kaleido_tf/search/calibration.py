"""What scores mean: how probable it is that an answer of a search is the product that was meant,
learnt from the answers to held-out queries.

Q = queries, k = answers to each, the best first. The answers to one query compete: a score counts
for much where it stands alone and for little among many that are as good. So the probability of an
answer is its share of exp(slope * score) among the first `SHOWN` answers and one thing more, which
stands for all others and for none: exp(rest). That is a multinomial logistic regression on one
variable, the form of Platt's (1999) for pairs.
"""

import dataclasses
import math

import numpy as np

from kaleido_tf.errors import InputError

SHOWN = 20
"""Answers that compete."""
FEWEST = 50
"""Queries below which nothing is fitted, and answers that are right."""
BINS = 10
METHOD = "multinomial"
_STEPS = 100


@dataclasses.dataclass(frozen=True)
class Calibration:
    """`slope`, `rest`; `queries` that it was fitted on and the products among which their answers
    were found (`gallery`); `error`, the expected calibration error of the probabilities of one half
    of the queries, fitted on the other.
    """

    slope: float
    rest: float
    gallery: int
    queries: int
    error: float

    def is_usable(self) -> bool:
        """Whether probabilities come of it."""
        return self.slope > 0 and math.isfinite(self.rest) and self.gallery > 0

    def probability(
        self, scores: np.ndarray, gallery: int, rivals: np.ndarray | None = None
    ) -> np.ndarray:
        """[..., k] float64, between 0 and 1, of answers to queries [..., k] among `gallery`
        products. Of twice as many products, those that are not shown count twice.

        Args: rivals: [..., r] scores of the best of all products, the best first, where the answers
          were chosen from fewer; None: the answers are the best.
        """
        logits = self.slope * np.asarray(scores, np.float64)
        best = logits if rivals is None else self.slope * np.asarray(rivals, np.float64)
        rest = np.full(best[..., :1].shape, self.rest + math.log(gallery / self.gallery))
        shares = logits - _log_sum(np.concatenate([best[..., :SHOWN], rest], axis=-1))
        return np.exp(np.minimum(shares, 0.0))  # one whose score stands rounded among the rivals

    def content(self) -> dict:
        """As the manifest of an index has it."""
        return {"method": METHOD, **dataclasses.asdict(self)}


def read_calibration(content: dict | None, where: str) -> Calibration:
    """From a manifest's entry. Raises: InputError if there is none, or what is there is none."""
    if content is None:
        raise InputError(
            f"Probabilities need a calibration, and {where} has none. Write the index again with"
            " --held_out"
        )
    try:
        values = {field.name: content[field.name] for field in dataclasses.fields(Calibration)}
        found = Calibration(**values)
        if content["method"] == METHOD and found.is_usable():
            return found
    except (KeyError, TypeError):  # said below
        pass
    raise InputError(
        f"{where}: its calibration is broken ({content}). Write the index again with --held_out"
    )


def fit_calibration(scores: np.ndarray, right: np.ndarray, gallery: int) -> Calibration:
    """Args:
      scores: [Q, k] of the answers to held-out queries, which nothing was trained on.
      right: [Q, k] bool, whether each is what was meant; of a query several may be, or none.
      gallery: products among which they were found.

    Raises: InputError for fewer than `FEWEST` queries or right answers, scores that are no numbers,
      or scores that are not higher for right answers.
    """
    scores, right = np.asarray(scores, np.float64), np.asarray(right).astype(bool)
    _check(scores, right)
    slope, rest = _fitted(scores, right)
    if not slope > 0:
        raise InputError(
            "A calibration needs scores that are higher where answers are right. Received: scores"
            f" whose mean is {scores[right].mean():.4g} there and {scores[~right].mean():.4g}"
            " elsewhere"
        )
    halves, first = np.empty_like(scores), np.arange(len(scores)) % 2 == 0
    for half in (first, ~first):
        fitted = Calibration(*_fitted(scores[~half], right[~half]), gallery, 0, 0.0)
        halves[half] = fitted.probability(scores[half], gallery)
    error = expected_calibration_error(halves.ravel(), right.ravel())
    return Calibration(slope, rest, gallery, len(scores), error)


def _check(scores: np.ndarray, right: np.ndarray) -> None:
    if scores.shape != right.shape or scores.ndim != 2:
        raise ValueError(f"Needed: two of [Q, k]. Received: {scores.shape}, {right.shape}")
    found = int(right.any(axis=1).sum())
    if found < FEWEST or right.all():
        raise InputError(
            f"A calibration needs at least {FEWEST} held-out queries with a right answer among the"
            f" first {scores.shape[1]}, and wrong answers, too. Received: {len(scores)} queries,"
            f" {found} with a right answer"
        )
    if not np.isfinite(scores).all():
        raise InputError("A calibration needs finite scores. Received: NaN or infinity")


def _fitted(scores: np.ndarray, right: np.ndarray) -> tuple[float, float]:
    """(slope, rest) of the largest likelihood, by Newton's method with halved steps."""
    shown, targets = scores[:, :SHOWN], _targets(right[:, :SHOWN])
    centre, spread = shown.mean(), max(shown.std(), np.finfo(float).tiny)
    inputs = np.pad((shown - centre) / spread, ((0, 0), (0, 1)))

    def logits(weights):
        values = weights[0] * inputs
        values[:, -1] = weights[1]
        return values

    def loss(weights):
        values = logits(weights)
        return np.mean(_log_sum(values)[:, 0] - (values * targets).sum(axis=1))

    weights = np.zeros(2)
    features = np.zeros([*inputs.shape, 2])
    features[..., 0], features[:, -1, 1] = inputs, 1
    for _ in range(_STEPS):
        values = logits(weights)
        shares = np.exp(values - _log_sum(values))
        gradient = np.einsum("qa,qaw->w", shares - targets, features) / len(inputs)
        means = np.einsum("qa,qaw->qw", shares, features)
        bend = np.einsum("qa,qaw,qav->wv", shares, features, features) - means.T @ means
        step = np.linalg.solve(bend / len(inputs) + 1e-12 * np.eye(2), gradient)
        before, size = loss(weights), 1.0
        while loss(weights - size * step) > before and size > 1e-6:
            size /= 2
        weights = weights - size * step
        if np.abs(size * step).max() < 1e-10:
            break
    slope = weights[0] / spread
    return float(slope), float(weights[1] + slope * centre)


def _targets(right: np.ndarray) -> np.ndarray:
    """[Q, k + 1]: which share of each query's answer is where, the last place being none of the
    shown. As Platt's targets they leave a little everywhere, and the slope is finite even where
    every first answer is right.
    """
    whole = np.column_stack([right, ~right.any(axis=1)]).astype(np.float64)
    whole /= whole.sum(axis=1, keepdims=True)
    little = 1 / (len(right) + 2)
    return (1 - little) * whole + little / whole.shape[1]


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The mean distance, over `BINS` bins of equally many answers [n] by their probability, between
    the mean probability and the share of them that is right.
    """
    order = np.argsort(probabilities, kind="stable")
    bins = [part for part in np.array_split(order, BINS) if len(part)]
    gaps = [abs(probabilities[part].mean() - labels[part].mean()) for part in bins]
    return float(np.average(gaps, weights=[len(part) for part in bins]))


def _log_sum(values: np.ndarray) -> np.ndarray:
    """[..., n] -> [..., 1]: of their exponentials."""
    largest = values.max(axis=-1, keepdims=True)
    return largest + np.log(np.exp(values - largest).sum(axis=-1, keepdims=True))
