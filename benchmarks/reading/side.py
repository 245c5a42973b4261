"""Shards read by a PyTorch DataLoader, as a process that answers requests line by line.

`benchmarks.reading.comparison` starts it. Requests: `values` (writes the features of the patches,
in the order of the products, to `<form>.npy`), `seconds` (of reading all).
"""

import collections
import json
import os
import pathlib
import sys
from collections.abc import Iterable

import numpy as np
import torch
from absl import app, flags
from safetensors.torch import load_file
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from benchmarks.rates import seconds_of

FORMS = ("safetensors", "webdataset")

flags.DEFINE_enum("form", None, FORMS, "Of the shards.")
flags.DEFINE_string("folder", None, "Where they lie.")
flags.DEFINE_integer("batch", 8, "Products a batch.")
FLAGS = flags.FLAGS


class SafetensorsProducts(IterableDataset):
    """Products of shards, each a dict of tensors; a worker takes every so many-th shard whole."""

    def __init__(self, paths: list[str]):
        self.paths = paths

    def __iter__(self):
        worker = get_worker_info()
        mine = self.paths[worker.id :: worker.num_workers] if worker else self.paths
        for path in mine:
            tensors = load_file(path)
            for row in range(len(tensors["number"])):
                yield {name: tensor[row] for name, tensor in tensors.items()}


def webdataset_products(paths: list[str]) -> Iterable[dict]:
    """The same of tar files."""
    import webdataset

    def of_product(sample):
        return {k.removesuffix(".npy"): v for k, v in sample.items() if k.endswith(".npy")}

    shards = webdataset.WebDataset(paths, shardshuffle=False)
    return shards.decode().map(of_product)


def make_loader(form: str, folder: pathlib.Path, batch: int) -> DataLoader:
    """With a worker a core, who stay."""
    paths = sorted(map(str, folder.glob(f"{form}-*")))
    dataset = SafetensorsProducts(paths) if form == "safetensors" else webdataset_products(paths)
    workers = min(len(os.sched_getaffinity(0)), len(paths))
    return DataLoader(dataset, batch, num_workers=workers, persistent_workers=True)


def values(loader: DataLoader) -> np.ndarray:
    """[N, 55, F] float16 in the order of the products."""
    found = {}
    for batch in loader:
        found |= zip(batch["number"].tolist(), batch["patch_features"].numpy())
    return np.stack([found[number] for number in sorted(found)])


def main(_):
    torch.set_num_threads(1)  # the workers work
    folder = pathlib.Path(FLAGS.folder)
    loader = make_loader(FLAGS.form, folder, FLAGS.batch)
    for line in sys.stdin:
        answer = {}
        if line.strip() == "values":
            np.save(folder / f"{FLAGS.form}.npy", values(loader))
        else:
            answer["seconds"] = seconds_of(lambda: collections.deque(loader, maxlen=0))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    app.run(main)
