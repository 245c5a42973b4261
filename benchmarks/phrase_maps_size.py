"""Time and memory of the fit of phrase maps for one large sub-category: cells of noise, texts that
name 12 of 120 things, each with one of four options.

    python -m benchmarks.phrase_maps_size --photos=20000

Noise has no map: the number of maps is printed, too.
"""

import os
import pathlib
import resource
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from absl import flags

from data_prep.alignment.feature_maps import KeptMaps
from data_prep.alignment.gradient_cells import CELLS, DIRECTIONS
from data_prep.alignment.phrase_maps import PhraseSettings, fit
from kaleido_tf.command import run_command

flags.DEFINE_integer("photos", 20_000, "Photos of the sub-category.", lower_bound=1)
FLAGS = flags.FLAGS


def kept_noise(path: pathlib.Path, photos: int, generator: np.random.Generator) -> KeptMaps:
    """Cells of noise on disk, as training keeps those of photos."""
    shape = (photos, CELLS, CELLS, DIRECTIONS)
    cells = np.lib.format.open_memmap(path, "w+", np.float16, shape)
    for start in range(0, photos, 1000):
        part = cells[start : start + 1000]
        part[:] = generator.normal(5.0, 1.0, part.shape)
    cells.flush()
    return KeptMaps([path])


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main(_):
    generator = np.random.default_rng(0)
    options = [
        {f"thing{n}": str(generator.integers(4)) for n in generator.choice(120, 12, replace=False)}
        for _ in range(FLAGS.photos)
    ]
    with tempfile.TemporaryDirectory() as folder:
        cells = kept_noise(pathlib.Path(folder) / "cells.npy", FLAGS.photos, generator)
        before, start = peak_megabytes(), time.perf_counter()
        maps = fit(lambda numbers: cells[numbers], options, PhraseSettings())
        seconds = time.perf_counter() - start
    print(
        f"{FLAGS.photos} photos, {len(maps)} maps: {seconds:.1f} s, peak"
        f" {peak_megabytes():.0f} MB, {peak_megabytes() - before:.0f} MB of it for the fit"
    )


if __name__ == "__main__":
    run_command(main)
