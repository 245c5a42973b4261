"""One run of the ablations: training, held-out matching and both directions of retrieval, each as a
command of its own that is not done again when it is finished.
"""

import dataclasses
import pathlib
import re
import subprocess
import sys
from collections.abc import Callable

from benchmarks.ablation_columns import flags_of, flags_on_a_text_encoder
from benchmarks.ablation_records import KindOfRecords
from benchmarks.ablation_table import MATCHING, RANKS
from kaleido_tf.errors import InputError
from kaleido_tf.files.claimed_folders import claim_settings
from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.files.whole_files import write_json

_SCRIPT = pathlib.Path(__file__).parents[1] / "pretrain_main.py"
_DIRECTIONS = ("img2txt", "txt2img")


@dataclasses.dataclass(frozen=True)
class AblationRun:
    """A column's run with one seed. Attributes: folder: its own; start: a trained text encoder, or
    None.
    """

    folder: pathlib.Path
    column: str
    records: KindOfRecords
    seed: int
    num_epochs: float
    start: str | None

    @property
    def flags(self) -> tuple[str, ...]:
        """Of training, without the places of records and model."""
        flags = flags_of(self.column)
        if self.start:
            flags = flags_on_a_text_encoder(flags)
            flags += (f"--pretrain_model_name_or_path={self.start}",)
        return (
            *flags,
            f"--num_epochs={self.num_epochs}",
            f"--negatives_rise_epochs={self.num_epochs / 2}",
            f"--seed={self.seed}",
        )

    def claim(self) -> None:
        """Makes the folder this run's. Raises: InputError if it holds one of other flags or
        records.
        """
        settings = {"flags": sorted(self.flags), "records": self.records.digest}
        other = "a run of other flags, budget, start or records"
        claim_settings(self.folder, settings, other, "--output_dir")

    def figures(self) -> dict[str, float]:
        """Shares by figure (`RANKS`, `MATCHING`); does first what is not done yet. Raises:
        InputError with the last line of a command that failed.
        """
        self._train()
        return {**self._ranks(lambda metrics: metrics), MATCHING: self._matching()}

    def chance(self) -> dict[str, float]:
        """The same of a model that knows nothing; for a run that is done."""
        return {**self._ranks(lambda metrics: metrics["chance"]), MATCHING: 0.5}

    def _ranks(self, part: Callable[[dict], dict]) -> dict[str, float]:
        """`RANKS` of both directions. Args: part: of their metrics, that holds them."""
        found = {direction: part(self._retrieval(direction)) for direction in _DIRECTIONS}
        places = (rank.split() for rank in RANKS)
        return {f"{direction} {name}": found[direction][name] for direction, name in places}

    def _train(self) -> None:
        done = self.folder / "trained"
        if done.is_file():
            return
        train = (f"--train_input_fp={self.records.folder / 'train'}", f"--model_dir={self.folder}")
        _pretrain("--mode=train", *self.flags, *train)
        done.touch()

    def _retrieval(self, direction: str) -> dict:
        """What `retrieval_metrics.json` says of one direction."""
        result = self.folder / direction / "retrieval_metrics.json"
        if not result.is_file():
            _pretrain(
                "--mode=predict",
                f"--type={direction}",
                f"--predict_input_fp={self.records.folder / 'valid'}",
                f"--predict_checkpoint_path={self.folder}",
                f"--output_dir={result.parent}",
                "--precision=bfloat16",
            )
        return read_json_object(result)

    def _matching(self) -> float:
        """The share of held-out pairs, half of them with a text of the same sub-category, that are
        told apart.

        The same pairs and masked words in all columns, and no kaleido task changes a patch;
        FashionBERT, whose losses are weighed together, keeps its masked patches.
        """
        result = self.folder / "matching.json"
        if not result.is_file():
            has_kaleido_tasks = any(flag.startswith("--kaleido_tasks=") for flag in self.flags)
            output = _pretrain(
                "--mode=evaluate",
                f"--predict_checkpoint_path={self.folder}",
                f"--eval_input_fp={self.records.folder / 'valid'}",
                "--eval_batch_size=64",
                *(["--kaleido_tasks="] if has_kaleido_tasks else []),
                "--masking=random",
                "--negatives=subcategory",
                "--precision=bfloat16",
            )
            found = re.search(r"next_sentence_accuracy (\d\.\d+)", output)
            if found is None:
                raise InputError(
                    "--mode=evaluate must print next_sentence_accuracy. Received:"
                    f" {output.strip()[-200:]}"
                )
            write_json(result, {MATCHING: float(found[1])})
        return read_json_object(result)[MATCHING]


def _pretrain(*arguments: str) -> str:
    """The output of pretrain_main.py."""
    command = [sys.executable, str(_SCRIPT), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise InputError(f"{' '.join(command)} ended with {done.returncode}: {reason}")
    return done.stdout
