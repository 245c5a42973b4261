"""How benchmarks print the recalls of a whole gallery."""

RANKS = (1, 5, 10)


def print_recalls(name: str, figures: dict) -> None:
    """Prints a line of what `gallery_recall.full_gallery_figures` gave: Recall@1, 5 and 10 with 95%
    intervals, and the median rank.
    """
    recalls = []
    for rank in RANKS:
        low, high = figures[f"full_recall_at_{rank}_interval"]
        recalls.append(f"@{rank} {figures[f'full_recall_at_{rank}']:.1%} ({low:.1%} to {high:.1%})")
    print(f"{name}: {', '.join(recalls)}, median rank {figures['full_median_rank']:.1f}")
