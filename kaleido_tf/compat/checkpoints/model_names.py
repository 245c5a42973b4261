"""Where the models are that the original command lines name (`pai-kaleidobert-base-en`)."""

import pathlib
import re

from kaleido_tf.errors import InputError

ZOO = ".eztransfer_modelzoo"
"""EasyTransfer's folder of models in the user's home."""

_NAME = re.compile(r"[a-z]+-(?P<kind>[a-z]+)-[\w-]+")


def find_model(name_or_path: str) -> str:
    """The directory or checkpoint prefix of a model: a path as it is, a known name
    (`pai-imagebert-base-en`) in the zoo.

    As EasyTransfer had it, a name's second part is the folder that its models stand in; the
    released archive of Kaleido-BERT unpacks without that folder, so both places are looked at.
    Raises: InputError that says which files to place where.
    """
    path = pathlib.Path(name_or_path)
    if path.exists() or path.with_name(path.name + ".index").exists():
        return name_or_path
    match = _NAME.fullmatch(name_or_path)
    if match is None:
        raise InputError(
            "A model is needed: a directory, a checkpoint prefix, a .safetensors or .pth file, or a"
            f" name like pai-kaleidobert-base-en. Not found: {name_or_path}"
        )
    zoo = pathlib.Path.home() / ZOO
    places = [zoo / match["kind"] / name_or_path, zoo / name_or_path]
    for place in places:
        if place.is_dir():
            return str(place)
    raise InputError(
        f"The model {name_or_path} needs config.json, vocab.txt and model.ckpt.index,"
        f" model.ckpt.data-00000-of-00001 in {places[0]} (EasyTransfer's model zoo). There is no"
        " such folder: place the files of the release there, or give their directory as"
        " --pretrain_model_name_or_path"
    )
