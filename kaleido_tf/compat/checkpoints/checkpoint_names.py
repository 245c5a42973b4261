"""Which of our variables the originals' names mean: those in TF1 checkpoints and state dicts of the
families' releases.
"""

import numpy as np

from kaleido_tf.families import FAMILIES
from kaleido_tf.models.original import OriginalVariable, dense_names
from kaleido_tf.models.state_dict import StateDict, untrained_counts

OWN_PREFIX = "named_layers/"
"""What the names of variables begin with that no original has, after their place in our models."""


def original_variables(model) -> dict[str, OriginalVariable]:
    """The variables of `model` by their names in the original's checkpoints; of the layers that are
    built, and without those that the original lacks (`feature_normalisation`, `similarity`).

    A fine-tuned model's head stands outside the family's scope. (The original's checkpoints of such
    models also hold the heads of pre-training, which it does not use.)
    """
    backbone = getattr(model, "backbone", model)
    family = FAMILIES[model.config.model_type]
    if completes_outfits(model):
        return family.outfit_names(model)
    original, names = family.original, {}
    if original is not None:
        names = {original.scope + name: entry for name, entry in original.names(backbone).items()}
    if backbone is model:
        return names
    if original is not None and original.head_names is not None:
        return names | original.head_names(model.head)
    return names | dense_names(model.head.name, model.head)


def named_variables(model) -> dict[str, OriginalVariable]:
    """Every variable of `model`: by the original's name, or by our own where it has none."""
    entries = original_variables(model)
    known = {id(entry.variable) for entry in entries.values()}
    for layer_name, layer in model.named_layers.items():
        for weight in layer.weights:
            if id(weight) not in known:
                known.add(id(weight))
                name = weight.name.split(":")[0].split("/")[-1]
                entries[f"{OWN_PREFIX}{layer_name}/{name}"] = OriginalVariable(weight)
    return entries


def state_dict_of(model_type: str) -> StateDict | None:
    """A family's release for PyTorch; None for a family that has none."""
    original = FAMILIES[model_type].original
    return original.state_dict if original else None


def completes_outfits(model) -> bool:
    """Whether it is an `OutfitModel`, which has a part of its family's layers alone."""
    outfit_model = FAMILIES[model.config.model_type].outfit_model
    return outfit_model is not None and isinstance(model, outfit_model)


def repeated_variables(model) -> dict[str, OriginalVariable]:
    """Variables that the original's files hold a second time, by the second name."""
    release = state_dict_of(model.config.model_type)
    if completes_outfits(model):
        return {}
    return release.repeated(getattr(model, "backbone", model)) if release else {}


def constant_arrays(model) -> dict[str, np.ndarray]:
    """What the original's files hold that is no weight."""
    release = state_dict_of(model.config.model_type)
    if completes_outfits(model):
        return untrained_counts(original_variables(model))
    return release.constants(getattr(model, "backbone", model)) if release else {}
