"""What a score means: the probability that a pair matches (Platt, 1999), from held-out pairs.

n = pairs. The probability is the logistic function of slope * score + intercept; the slope is above
0, so that a better score is never less probable. The pairs are those that a search showed: queries
with the best products of a gallery. In a gallery that is twice as large twice as many products that
do not match have a score at least as good, and the odds of a match are half of what they were.
"""

import dataclasses
import math

import numpy as np

from kaleido_tf.errors import InputError

FEWEST = 50
"""Pairs that match, and pairs that do not, below which no probability is fitted."""
BINS = 10
_STEPS = 100


@dataclasses.dataclass(frozen=True)
class Calibration:
    """`slope`, `intercept`; `gallery`, products among which the pairs were found; `pairs`, how
    many; `error`, the expected calibration error of probabilities for one half of the pairs, fitted
    on the other.
    """

    slope: float
    intercept: float
    gallery: int
    pairs: int
    error: float

    def is_usable(self) -> bool:
        """Whether probabilities come of it."""
        return self.slope > 0 and math.isfinite(self.intercept) and self.gallery > 0

    def probability(self, scores: np.ndarray, gallery: int) -> np.ndarray:
        """[n] float64, between 0 and 1, of scores [n] of products found among `gallery` of them."""
        shift = math.log(self.gallery / gallery)
        return _logistic(self.slope * np.asarray(scores, np.float64) + self.intercept + shift)

    def content(self) -> dict:
        """As the manifest of an index has it."""
        return {"method": "platt", **dataclasses.asdict(self)}


def read_calibration(content: dict | None, where: str) -> Calibration:
    """From a manifest's entry. Raises: InputError if there is none, or what is there is none."""
    if content is None:
        raise InputError(f"Probabilities need a calibration, and {where} has none. Calibrate it")
    try:
        values = {field.name: content[field.name] for field in dataclasses.fields(Calibration)}
        found = Calibration(**values)
        if content["method"] == "platt" and found.is_usable():
            return found
    except (KeyError, TypeError):  # said below
        pass
    raise InputError(f"{where}: its calibration is broken ({content}). Calibrate it again")


def fit_calibration(scores: np.ndarray, labels: np.ndarray, gallery: int) -> Calibration:
    """Args:
      scores: [n] of held-out pairs, which nothing was trained on.
      labels: [n] 1 for pairs that match, else 0.
      gallery: products among which they were found.

    Raises: InputError for fewer than `FEWEST` pairs of either kind, scores that are no numbers, or
      scores that are not higher for pairs that match.
    """
    scores, labels = np.asarray(scores, np.float64), np.asarray(labels).astype(bool)
    _check(scores, labels)
    slope, intercept = _platt(scores, labels)
    if not slope > 0:
        raise InputError(
            "A calibration needs scores that are higher where pairs match. Received: scores whose"
            f" mean is {scores[labels].mean():.4g} there and {scores[~labels].mean():.4g} elsewhere"
        )
    halves = np.empty(len(scores))
    for half in _halves(labels):
        a, b = _platt(scores[~half], labels[~half])
        halves[half] = _logistic(a * scores[half] + b)
    error = expected_calibration_error(halves, labels)
    return Calibration(slope, intercept, gallery, len(scores), error)


def _check(scores: np.ndarray, labels: np.ndarray) -> None:
    if scores.shape != labels.shape or scores.ndim != 1:
        raise ValueError(
            f"Needed: [n] scores, [n] labels. Received: {scores.shape}, {labels.shape}"
        )
    matching = int(labels.sum())
    if min(matching, len(labels) - matching) < FEWEST:
        raise InputError(
            f"A calibration needs at least {FEWEST} pairs that match and {FEWEST} that do not."
            f" Received: {matching} and {len(labels) - matching}"
        )
    if not np.isfinite(scores).all():
        raise InputError("A calibration needs finite scores. Received: NaN or infinity")


def _halves(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every other pair of each kind, in the order given."""
    half = np.zeros(len(labels), bool)
    for kind in (labels, ~labels):
        half[np.flatnonzero(kind)[::2]] = True
    return half, ~half


def _platt(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """(slope, intercept) of the largest likelihood of Platt's smoothed targets, by Newton's method
    with halved steps. The targets keep the slope finite where scores part the pairs without fault.
    """
    matching = labels.sum()
    targets = np.where(labels, (matching + 1) / (matching + 2), 1 / (len(labels) - matching + 2))
    centre, spread = scores.mean(), max(scores.std(), np.finfo(float).tiny)
    inputs = np.stack([(scores - centre) / spread, np.ones_like(scores)], axis=1)

    def loss(weights):
        logits = inputs @ weights
        return np.mean(np.logaddexp(0, logits) - targets * logits)

    weights = np.array([0.0, _log_odds(targets.mean())])
    for _ in range(_STEPS):
        probabilities = _logistic(inputs @ weights)
        gradient = inputs.T @ (probabilities - targets) / len(targets)
        bend = probabilities * (1 - probabilities) / len(targets)
        step = np.linalg.solve(inputs.T @ (inputs * bend[:, None]) + 1e-12 * np.eye(2), gradient)
        before, size = loss(weights), 1.0
        while loss(weights - size * step) > before and size > 1e-6:
            size /= 2
        weights = weights - size * step
        if np.abs(size * step).max() < 1e-10:
            break
    slope = weights[0] / spread
    return float(slope), float(weights[1] - slope * centre)


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The mean distance, over `BINS` bins of equally many pairs by their probability, between the
    mean probability and the share of pairs that match.
    """
    order = np.argsort(probabilities, kind="stable")
    bins = [part for part in np.array_split(order, BINS) if len(part)]
    gaps = [abs(probabilities[part].mean() - labels[part].mean()) for part in bins]
    return float(np.average(gaps, weights=[len(part) for part in bins]))


def _logistic(values: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * values))  # without overflow


def _log_odds(share: float) -> float:
    return math.log(share / (1 - share))
