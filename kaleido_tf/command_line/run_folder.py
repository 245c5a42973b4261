"""The settings that a run leaves in its `--model_dir`, and what may not change when it is gone on
with.
"""

import json
import pathlib

from absl import flags

from kaleido_tf.errors import InputError
from kaleido_tf.families import read_config
from kaleido_tf.files.text_files import read_lines, read_text
from kaleido_tf.files.whole_files import write_whole
from kaleido_tf.models.config import ModelConfig
from kaleido_tf.text import Vocabulary
from kaleido_tf.training.checkpoints import find_checkpoint

CONFIG, VOCABULARY, FLAGS = "config.json", "vocab.txt", "flags.cfg"


def leave_settings(
    folder: str, config: ModelConfig, vocabulary: str, module, decisive: tuple[str, ...]
) -> str:
    """Puts `config.json`, `vocab.txt` and `flags.cfg` into `folder`, where a run begins; where one
    is resumed, they are compared with the present settings and left as they are.

    Args: module: the script whose flags are kept. decisive: names of flags that a resumed run must
      not change.
    Returns: the path of the run's vocabulary.
    Raises: InputError if the folder holds a run of another model, vocabulary, or of other flags.
    """
    place = pathlib.Path(folder)
    resumed = find_checkpoint(folder) is not None
    if resumed:
        _refuse_other_flags(place / FLAGS, decisive)  # first, as a flag may be why a model differs
        _refuse_other_model(place, config, vocabulary)
    contents = {
        CONFIG: json.dumps(config.to_dict(), indent=1) + "\n",
        VOCABULARY: read_text(vocabulary),
        FLAGS: _flags_of(module),
    }
    for name, content in contents.items():
        if not resumed or not (place / name).exists():
            write_whole(place / name, content)
    return str(place / VOCABULARY)


def _flags_of(module) -> str:
    names = sorted(flag.name for flag in flags.FLAGS.get_key_flags_for_module(module))
    lines = [flags.FLAGS[name].serialize() for name in names if flags.FLAGS[name].value is not None]
    return "".join(f"{line}\n" for line in lines)


def _refuse_other_model(place: pathlib.Path, config: ModelConfig, vocabulary: str) -> None:
    if (place / CONFIG).is_file() and read_config(place / CONFIG) != config:
        raise InputError(
            f"--model_dir={place} holds another model (its {CONFIG} differs). Use another"
            " --model_dir"
        )
    kept = place / VOCABULARY
    if kept.is_file() and Vocabulary(kept).tokens != Vocabulary(vocabulary).tokens:
        raise InputError(
            f"--model_dir={place} holds a run with another vocabulary ({kept}) than {vocabulary},"
            " which this command would take. Give the flags that the run began with"
            f" (--flagfile={place / FLAGS}), or use another --model_dir"
        )


def _refuse_other_flags(path: pathlib.Path, decisive: tuple[str, ...]) -> None:
    """A resumed run must get the flags it began with, or its numbers would be those of
    neither.
    """
    if not path.is_file():
        return
    lines = read_lines(path)
    before = {line.lstrip("-").partition("=")[0].removeprefix("no"): line for line in lines}
    changed = []
    for name in decisive:
        flag = flags.FLAGS[name]
        now = flag.serialize() or f"no --{name}"
        # A flag without a value leaves no line; one of a later version of this project neither.
        absent = f"no --{name}" if flag.default is None else now
        there = before.get(name.removeprefix("no"), absent)
        if there != now:
            changed.append(f"{there} there, {now} now")
    if changed:
        raise InputError(
            f"--model_dir={path.parent} holds a run with other flags ({'; '.join(changed)}). To go"
            f" on with it, give the same flags (--flagfile={path}); to start anew from its"
            f" weights, use another --model_dir and --pretrain_model_name_or_path={path.parent}"
        )
