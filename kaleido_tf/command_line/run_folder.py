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
from kaleido_tf.training.checkpoints import find_checkpoint


def leave_settings(
    folder: str, config: ModelConfig, vocabulary: str, module, decisive: tuple[str, ...]
) -> None:
    """Puts `config.json`, `vocab.txt` and `flags.cfg` into `folder`.

    Args: module: the script whose flags are kept. decisive: names of flags that a resumed run must
      not change.
    Raises: InputError if the folder holds a run of another model, or of other flags.
    """
    place = pathlib.Path(folder)
    if find_checkpoint(folder):
        there = place / "config.json"
        if there.is_file() and read_config(there) != config:
            raise InputError(
                f"--model_dir={folder} holds another model (its config.json differs). Use another"
                " --model_dir"
            )
        _refuse_other_flags(place / "flags.cfg", decisive)
    names = sorted(flag.name for flag in flags.FLAGS.get_key_flags_for_module(module))
    contents = {
        "config.json": json.dumps(config.to_dict(), indent=1) + "\n",
        "vocab.txt": read_text(vocabulary),
        "flags.cfg": "".join(
            f"{flags.FLAGS[name].serialize()}\n"
            for name in names
            if flags.FLAGS[name].value is not None
        ),
    }
    for name, text in contents.items():
        write_whole(place / name, text)


def _refuse_other_flags(path: pathlib.Path, decisive: tuple[str, ...]) -> None:
    """A run that is gone on with must get the flags it began with, or its numbers would be those of
    neither.
    """
    before = read_lines(path) if path.is_file() else []
    by_name = {line.lstrip("-").partition("=")[0].removeprefix("no"): line for line in before}
    now = {name: flags.FLAGS[name].serialize() for name in decisive}
    changed = [
        f"{by_name[name.removeprefix('no')]} there, {line} now"
        for name, line in now.items()
        if by_name.get(name.removeprefix("no"), line) != line
    ]
    if changed:
        raise InputError(
            f"--model_dir={path.parent} holds a run with other flags ({'; '.join(changed)}). To go"
            " on with it, give the same flags (--flagfile=flags.cfg); to start anew from its"
            f" weights, use another --model_dir and --pretrain_model_name_or_path={path.parent}"
        )
