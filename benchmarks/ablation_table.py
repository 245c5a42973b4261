"""Figures of the ablations' runs to one table: mean and spread over seeds, beside chance and the
paper's, and whether differences have the paper's sign.
"""

import dataclasses

import numpy as np

from benchmarks.ablation_columns import COLUMNS, first_of_group, paper_figures, recipe_of

RANKS = tuple(f"{way} rank@{k}" for way in ("img2txt", "txt2img") for k in (1, 5, 10))
SUM, MATCHING = "SumR", "matching accuracy"
FIGURES = (*RANKS, SUM, MATCHING)
COMPARED = (SUM, "img2txt rank@1", "txt2img rank@1")
"""The figures whose differences are held against the paper's."""
_ROUNDING = 1e-6
"""Percent; one query more or less is far above it."""


@dataclasses.dataclass(frozen=True)
class Figure:
    """Mean of a figure over seeds, in percent, and its spread: the standard deviation of a sample,
    None for one seed.
    """

    mean: float
    spread: float | None

    @classmethod
    def of(cls, values: list[float]) -> "Figure":
        """Of one value for each seed."""
        spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
        return cls(float(np.mean(values)), spread)

    def minus(self, other: "Figure") -> "Figure":
        """The difference; its spread is that of a difference of independent values."""
        spreads = (self.spread, other.spread)
        return Figure(
            self.mean - other.mean, None if None in spreads else float(np.hypot(*spreads))
        )

    def __str__(self):
        spread = "" if self.spread is None else f" +- {self.spread:.1f}"
        return f"{self.mean:.1f}{spread}"


def with_sum(shares: dict[str, float]) -> dict[str, float]:
    """Shares by figure, of one run or of chance, in percent, with SumR: the paper's sum of the six
    ranks (table 2: (Rank@1 + Rank@5 + Rank@10) * 100, both directions).
    """
    percent = {name: 100 * value for name, value in shares.items()}
    return {**percent, SUM: sum(percent[name] for name in RANKS)}


def column_figures(runs: list[dict[str, float]]) -> dict[str, Figure]:
    """Every figure of a column. Args: runs: of each seed, as `with_sum` gives them."""
    return {name: Figure.of([run[name] for run in runs]) for name in FIGURES}


def verdict(difference: Figure, paper: float) -> str:
    """Whether a difference has the sign of the paper's, and what that is worth."""
    agreement = "agrees" if difference.mean * paper > 0 else "opposite"
    if abs(difference.mean) < _ROUNDING or paper == 0:
        agreement = "no difference"
    if difference.spread is None:
        return f"{agreement}, one seed"
    within = abs(difference.mean) < difference.spread
    return f"{agreement}, within the spread" if within else agreement


def comparisons(columns: dict[str, dict[str, Figure]]) -> dict[str, dict[str, dict]]:
    """Column -> figure -> its difference to the group's first column, for columns whose first is
    there, too.
    """
    found = {}
    for name, figures in columns.items():
        first = first_of_group(name)
        if name == first or first not in columns:
            continue
        found[name] = {}
        for figure in COMPARED:
            difference = figures[figure].minus(columns[first][figure])
            paper = paper_figures()[name][figure] - paper_figures()[first][figure]
            found[name][figure] = {
                "difference": difference.mean,
                "spread": difference.spread,
                "paper": round(paper, 2),
                "sign": verdict(difference, paper),
            }
    return found


def markdown(columns: dict[str, dict[str, Figure]], chance: dict[str, float]) -> str:
    """The table. Args: columns: in the order of their rows. chance: as `with_sum` gives it."""
    heads = ["", "column", *map(_title, FIGURES), *(f"{_title(name)}: sign" for name in COMPARED)]
    lines = [_row(heads), _row(["---"] * len(heads))]
    lines.append(
        _row(["", "chance", *(f"{chance[name]:.1f}" for name in FIGURES), *[""] * len(COMPARED)])
    )
    found = comparisons(columns)
    for name, figures in columns.items():
        cells = [COLUMNS[name].group, _named(name, columns)]
        cells += [_with_paper(name, figure, figures[figure]) for figure in FIGURES]
        cells += [_sign(found.get(name, {}).get(figure)) for figure in COMPARED]
        lines.append(_row(cells))
    return "\n".join(lines) + "\n"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _title(figure: str) -> str:
    return figure.replace("rank@", "Rank@")


def _named(name: str, columns) -> str:
    """A column's name, with the one above it whose runs it shares."""
    shared = next(other for other in columns if recipe_of(other) == recipe_of(name))
    return name if shared == name else f"{name} (the runs of {shared})"


def _with_paper(name: str, figure: str, value: Figure) -> str:
    paper = paper_figures()[name].get(figure) if figure in COMPARED else None
    return str(value) if paper is None else f"{value} (paper {paper:.1f})"


def _sign(comparison: dict | None) -> str:
    if comparison is None:
        return ""
    return (
        f"{comparison['difference']:+.1f} (paper {comparison['paper']:+.1f}): {comparison['sign']}"
    )
