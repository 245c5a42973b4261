"""A training step here against PyTorch's, from the same weights on the same batch."""

import contextlib
import pathlib
import tempfile

from benchmarks.rates import lines_of, rows_of
from benchmarks.steps.agreement import LARGEST, largest_difference
from benchmarks.turns import Process

OURS, MODULE = "tensorflow", "benchmarks.steps.side"
WARM_UP = 2


def check_agreement(step: str, batch_size: int, precision: str, rivals: list[str]) -> float:
    """Holds the losses of all sides, without dropout, before and after their first update, against
    each other.

    Returns: the largest difference, as a share. Raises: SystemExit if it is too large.
    """
    far = []
    with tempfile.TemporaryDirectory() as folder:
        losses = {}
        for side in (OURS, *rivals):  # the first writes what the others read
            with _start(step, side, batch_size, precision, folder, dropout=False) as process:
                losses[side] = process.ask("losses")["losses"]
        for rival in rivals:
            far.append(largest_difference(losses[OURS], losses[rival], LARGEST[precision]))
    return max(far)


def compare(step: str, batch_size: int, precision: str, rivals: list[str], turns: int) -> list:
    """Times the steps of all sides in turns.

    Returns: `rates.rows_of` examples, ours first, and in each `gib` (peak memory of its process),
      `loaded_gib` (what its imports took of that), `share_of_floor` (of what an update's operations
      would take at this machine's fastest rate of matrix products) and what is common to all.
    """
    far = check_agreement(step, batch_size, precision, rivals)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        processes = {}
        for side in (OURS, *rivals):
            process = _start(step, side, batch_size, precision, folder, dropout=True)
            processes[side] = stack.enter_context(process)
            for _ in range(WARM_UP):
                processes[side].ask("step")
        work = processes[rivals[0]].ask("work")["gflop"]
        rates, figures = [], {side: [] for side in processes}
        for _ in range(turns):
            for side, process in processes.items():
                figures[side].append(process.ask("step"))
                if side in (OURS, rivals[0]):  # the compiled one multiplies as the plain one
                    rates.append(process.ask("product")["gflops"])
    common = {
        "step": step,
        "batch_size": batch_size,
        "precision": precision,
        "losses_differ_by": far,
        "gflop": work,
        "product_gflops": max(rates),
    }
    seconds = {side: [figure["seconds"] for figure in found] for side, found in figures.items()}
    floor = batch_size * max(rates) / work
    return [
        {
            **common,
            **row,
            **{name: figures[row["side"]][-1][name] for name in ("gib", "loaded_gib")},
            "share_of_floor": row["per_second"] / floor,
        }
        for row in rows_of(seconds, batch_size)
    ]


def table(rows: list[dict]) -> list[str]:
    """The lines that are printed of a comparison."""
    first = rows[0]
    title = (
        f"{first['step']}, batch {first['batch_size']}, {first['precision']}:"
        f" {first['gflop']:.0f} GFLOP, products at {first['product_gflops']:.0f} GFLOP/s, losses"
        f" of two steps within {first['losses_differ_by']:.0e} of each other"
    )

    def further(row):
        memory = f"{row['gib']:.2f} GiB, {row['loaded_gib']:.2f} of them loaded"
        return f"   {row['share_of_floor']:.0%} of the floor   {memory}"

    return lines_of(title, rows, "examples", further)


def _start(step, side, batch_size, precision, folder, dropout) -> Process:
    flags = {"step": step, "side": side, "batch_size": batch_size, "precision": precision}
    return Process(MODULE, {**flags, "folder": pathlib.Path(folder), "dropout": dropout})
