"""What a model is and how it was run; where there are several, in what they differ."""

from collections.abc import Sequence

from kaleido_tf.serving.markup import Markup, joined, table, tag
from kaleido_tf.serving.run_results import RunResults

GIST = {
    "model_type": "{}",
    "num_hidden_layers": "{} layers",
    "hidden_size": "hidden size {}",
    "num_attention_heads": "{} heads",
}


def settings_section(run: RunResults) -> Markup:
    """The configuration in a line, then all settings of the model and all flags, to be unfolded."""
    gist = [form.format(run.config[name]) for name, form in GIST.items() if name in run.config]
    parts = [tag("p", "Folder: ", tag("code", run.folder))]
    parts += [tag("p", "Model: " + ", ".join(gist))] if gist else []
    for title, values in (("Flags of the run", run.flags), ("config.json", run.config)):
        if values:
            listed = table(title, ("setting", "value"), values.items(), "settings")
            summary = tag("summary", f"{title} ({len(values)})")
            parts.append(tag("details", summary, listed))
    return joined(parts)


def differing_settings(names: Sequence[str], runs: Sequence[RunResults]) -> Markup:
    """The settings that are not the same in all models; blank where there are none."""
    told = [
        (name, {**run.config, **run.flags})
        for name, run in zip(names, runs)
        if run.config or run.flags
    ]
    values = [each for _, each in told]
    keys = sorted({key for each in values for key in each} - {"model_dir"})
    rows = [
        (key, *(each.get(key, "-") for each in values))
        for key in keys
        if len({str(each.get(key, "-")) for each in values}) > 1
    ]
    if not rows:
        return Markup("")
    heads = ("setting", *(name for name, _ in told))
    listed = table("Settings in which the models differ", heads, rows, "settings")
    count = "1 setting" if len(rows) == 1 else f"{len(rows)} settings"
    return tag("details", tag("summary", count), listed)
