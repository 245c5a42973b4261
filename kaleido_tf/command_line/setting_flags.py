"""Flags made from the settings of dataclasses (kaleido_tf/settings.py), and read back into them."""

import types
import typing

from absl import flags

from kaleido_tf.errors import InputError
from kaleido_tf.settings import Setting, settings_of

# The flags belong to the module that asks for them: they stand in its --help and its flags.cfg.
flags.disclaim_key_flags()


def define_setting_flags(
    config: type, names: typing.Collection[str] | None = None, **defaults
) -> None:
    """Defines the flag of every setting of a dataclass, unless another dataclass defined it before.

    Args: names: of the fields that are wanted; None: all. defaults: of fields, where a command's
      default is not the dataclass's.
    """
    hints = typing.get_type_hints(config)
    for name, entry in settings_of(config).items():
        if (names is None or name in names) and entry.flag not in flags.FLAGS:
            default = defaults.get(name, getattr(config, name))
            _define(entry, _kind(hints[name]), default)


def _kind(hint) -> type:
    """The type of a value, for `int | None` and `tuple[str, ...]` too."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    return typing.get_origin(hint) or hint


def _define(entry: Setting, kind: type, default) -> None:
    if kind is tuple:
        default = None if default is None else list(default)
        flags.DEFINE_list(entry.flag, default, entry.help)
    elif entry.choices is not None:
        flags.DEFINE_enum(entry.flag, default, list(entry.choices), entry.help)
    else:
        define = {
            bool: flags.DEFINE_boolean,
            int: flags.DEFINE_integer,
            float: flags.DEFINE_float,
            str: flags.DEFINE_string,
        }[kind]
        define(entry.flag, default, entry.help)


def read_settings(config: type, **fixed):
    """An object of a dataclass from the flags of its settings; `fixed`: values of fields that are
    not read from flags.

    Fields whose flag the command does not have keep their default.
    Raises: InputError for a value out of range.
    """
    values, hints = {}, typing.get_type_hints(config)
    for name, entry in settings_of(config).items():
        if name not in fixed and entry.flag in flags.FLAGS:
            value = flags.FLAGS[entry.flag].value
            values[name] = _listed(value, entry, hints[name]) if isinstance(value, list) else value
    return config(**values, **fixed)


def _listed(value: list, entry: Setting, hint) -> tuple:
    """The parts of a list, as the field's type has them."""
    # An empty list on the command line (--kaleido_tasks=) holds one empty word.
    parts = [part for part in value if part != ""]
    if float not in typing.get_args(hint):
        return tuple(parts)
    try:
        return tuple(float(part) for part in parts)
    except ValueError:
        raise InputError(
            f"--{entry.flag} must be numbers, separated by commas. Received: {','.join(parts)}"
        ) from None
