"""The records of the ablations: whether they are of the kind that a column needs."""

import dataclasses
import hashlib
import pathlib

from benchmarks.ablation_columns import COLUMNS, flags_of
from kaleido_tf.errors import InputError
from kaleido_tf.files.listed_shards import DATASET_JSON
from kaleido_tf.records.dataset_json import layout_of, read_dataset_json
from kaleido_tf.records.record import KALEIDO

LISTS = ("candidates_img2txt.jsonl", "candidates_txt2img.jsonl")
_SPLITS = ("train", "valid")
_NEEDED = {
    "scale_fixed": "records of data_prep.write_fashion_bert_records",
    "kaleido": "records of data_prep.write_kaleido_records --foreground=none",
    "saliency": "records of data_prep.write_kaleido_records with another foreground than none",
}


@dataclasses.dataclass(frozen=True)
class KindOfRecords:
    """Records that the columns of one kind share. `digest`: of what they and their candidate lists
    are.
    """

    folder: pathlib.Path
    digest: str


def check_records(names: list[str], given: dict[str, str | None]) -> dict[str, KindOfRecords]:
    """Kind -> its records, of all kinds that the columns `names` need.

    Raises: InputError for records that are missing or of another kind, that have no candidate
      lists, that have no alignments where a column masks by them, or whose products or candidates
      differ from those of another kind.
    """
    kinds = {}
    for name in names:
        kind = COLUMNS[name].records
        folder = pathlib.Path(given[kind])
        dataset = _checked_dataset(folder, kind)
        if "--masking=aligned" in flags_of(name) and "alignments" not in dataset:
            raise InputError(
                f"--columns={name} needs alignments in --records_{kind}"
                f" (data_prep.write_alignments). Received: {folder}/train without"
            )
        kinds[kind] = KindOfRecords(folder, _digest(folder))
    _check_products(kinds)
    return kinds


def _check_products(kinds: dict[str, KindOfRecords]) -> None:
    products = {
        kind: [read_dataset_json(records.folder / s).get("products_digest") for s in _SPLITS]
        + [(records.folder / "valid" / name).read_bytes() for name in LISTS]
        for kind, records in kinds.items()
    }
    first = next(iter(kinds))
    other = next((kind for kind in kinds if products[kind] != products[first]), None)
    if other:
        raise InputError(
            "All columns need the same products and candidate lists. Received: others in"
            f" --records_{other}={kinds[other].folder} than in"
            f" --records_{first}={kinds[first].folder}"
        )


def _checked_dataset(folder: pathlib.Path, kind: str) -> dict:
    """The `dataset.json` of the training records."""
    for split in _SPLITS:
        dataset = read_dataset_json(folder / split)
        if _kind_of(dataset, str(folder / split)) != kind:
            raise InputError(
                f"--records_{kind} needs {_NEEDED[kind]}. Received: {folder / split} with"
                f" layout={dataset.get('layout')}, foreground={dataset.get('foreground')}"
            )
    for name in LISTS:
        if not (folder / "valid" / name).is_file():
            raise InputError(
                f"--records_{kind} needs candidate lists (data_prep.write_retrieval_candidates)."
                f" Not found: {folder / 'valid' / name}"
            )
    return read_dataset_json(folder / "train")


def _kind_of(dataset: dict, where: str) -> str:
    if layout_of(dataset, where) is not KALEIDO:
        return "scale_fixed"
    return "kaleido" if dataset.get("foreground") == "none" else "saliency"


def _digest(folder: pathlib.Path) -> str:
    digest = hashlib.sha256()
    files = [folder / split / DATASET_JSON for split in _SPLITS]
    for path in (*files, *(folder / "valid" / name for name in LISTS)):
        digest.update(path.read_bytes())
    return digest.hexdigest()
