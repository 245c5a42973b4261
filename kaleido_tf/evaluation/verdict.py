"""Whether a model is better than its yardstick, as far as the examples at hand can say: the paired
bootstrap over products (Efron, 1979), and a verdict in words.

Any figure can be compared that is computed of a set of examples: a mean over them, or one like
macro-F1 that is not. E = examples.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

ROUNDS = 1000
SEED = 20210328
"""Always the same resamples: the same predictions give the same interval."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A figure of the yardstick and of the model, larger being better, their difference (model less
    yardstick) with its 95% interval, the number of examples, and `better`, `worse` or `no
    difference`.
    """

    figure: str
    yardstick: float
    model: float
    difference: float
    interval: tuple[float, float]
    examples: int

    @property
    def word(self) -> str:
        """`better` or `worse` where the interval lies on one side of 0."""
        low, high = self.interval
        return "better" if low > 0 else "worse" if high < 0 else "no difference"

    def __str__(self):
        low, high = self.interval
        words = {
            "better": "the model is better than not training",
            "worse": "the model is worse than not training",
            "no difference": f"no difference that {self.examples} examples could show",
        }
        return (
            f"verdict: {self.figure} of the yardstick {self.yardstick:.4f}, of the model"
            f" {self.model:.4f}, difference {self.difference:+.4f} (95% {low:+.4f} to"
            f" {high:+.4f}): {words[self.word]}"
        )

    def content(self) -> dict:
        """As a result file has it."""
        values = dataclasses.asdict(self)
        return {**values, "interval": list(self.interval), "verdict": self.word}


def compare(
    figure: str,
    yardstick: Callable[[np.ndarray], float],
    model: Callable[[np.ndarray], float],
    products: Sequence[str],
) -> Verdict:
    """The verdict on a figure.

    Args: yardstick, model: the figure of the examples with these numbers ([n] int, some of them
      several times). products: [E] whose example each is; a product is drawn with all of its own.
    """
    whole = np.arange(len(products))
    drawn = resamples(products)
    differences = [model(numbers) - yardstick(numbers) for numbers in drawn]
    a, b = float(yardstick(whole)), float(model(whole))
    return Verdict(figure, a, b, b - a, percentiles(differences), len(products))


def interval_of(
    figure: Callable[[np.ndarray], float], products: Sequence[str]
) -> tuple[float, float]:
    """The 95% interval of a figure over the same resamples."""
    return percentiles([figure(numbers) for numbers in resamples(products)])


def resamples(products: Sequence[str]) -> list[np.ndarray]:
    """`ROUNDS` times the numbers of the examples of as many products as there are, drawn with
    putting back.
    """
    _, groups = np.unique(np.asarray(products, str), return_inverse=True)
    members = np.split(np.argsort(groups, kind="stable"), np.cumsum(np.bincount(groups))[:-1])
    generator = np.random.default_rng(SEED)
    draws = generator.integers(0, len(members), [ROUNDS, len(members)])
    return [np.concatenate([members[number] for number in draw]) for draw in draws]


def percentiles(values: Sequence[float]) -> tuple[float, float]:
    """The middle 95% of values."""
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
