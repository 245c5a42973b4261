"""Results of models as one page that needs no network: `python -m kaleido_tf.serving.report_page
--model_dir=model --output=report.html`. No TensorFlow in here.

The page shows what each folder holds: configuration, losses by task, the figures of its evaluations
with their 95% intervals beside yardsticks and chance, the confusion of recognition, F1 of every
class, best and worst cases, captions. Several --model_dir stand side by side.
"""

import pathlib

from absl import flags

from kaleido_tf.command import run_command
from kaleido_tf.errors import InputError
from kaleido_tf.files.whole_files import check_writable, write_whole
from kaleido_tf.serving.catalogue_photos import photos_of
from kaleido_tf.serving.page import report_page
from kaleido_tf.serving.photos import NO_CATALOGUE
from kaleido_tf.serving.run_results import read_run, short_names

flags.DEFINE_multi_string(
    "model_dir", None, "Folder of a model, or of an evaluation; several: again.", required=True
)
flags.DEFINE_string("output", None, "HTML file to write.", required=True)
flags.DEFINE_string(
    "catalogue",
    None,
    "Catalogue of the products that were evaluated, for their photos, titles and texts:"
    " products.jsonl or its folder, Fashion-Gen HDF5 files, or tfds:NAME; default: none.",
)
flags.DEFINE_integer(
    "cases",
    8,
    "Best and worst cases of each task, of each so many; 0: none. A photo takes about 7 kB.",
    lower_bound=0,
    upper_bound=100,
)
FLAGS = flags.FLAGS


def main(_) -> None:
    """Reads the folders and the catalogue, then writes the page."""
    output = pathlib.Path(FLAGS.output)
    if output.is_dir():
        raise InputError(f"--output: an HTML file is needed. Received a folder: {output}")
    check_writable(output.parent)
    names = short_names(FLAGS.model_dir)
    runs = [read_run(folder) for folder in FLAGS.model_dir]
    photos = photos_of(FLAGS.catalogue)
    page = report_page(names, runs, photos, FLAGS.cases)
    write_whole(output, page)
    note = f"; {NO_CATALOGUE}" if photos.note else ""
    count = "1 model" if len(runs) == 1 else f"{len(runs)} models"
    print(f"{output}: {count}, {len(page.encode()) / 1e6:.2f} MB{note}")


if __name__ == "__main__":
    run_command(main)
