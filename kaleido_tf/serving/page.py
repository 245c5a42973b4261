"""The report as one page: figures of all models side by side, then a section for each model."""

from collections.abc import Sequence

from kaleido_tf.serving.caption_section import caption_cases
from kaleido_tf.serving.figure_tables import figure_tables
from kaleido_tf.serving.loss_charts import loss_charts, losses_of
from kaleido_tf.serving.markup import Markup, joined, tag
from kaleido_tf.serving.page_style import STYLE
from kaleido_tf.serving.photos import Photos
from kaleido_tf.serving.recognition_section import class_bars, confusion_table, recognition_cases
from kaleido_tf.serving.retrieval_section import retrieval_cases
from kaleido_tf.serving.run_results import RunResults
from kaleido_tf.serving.settings_section import differing_settings, settings_section

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""The browser itself keeps the page from asking for anything."""
Section = tuple[str, Markup]
"""A title and what stands below it."""


def report_page(
    names: Sequence[str], runs: Sequence[RunResults], photos: Photos, cases: int
) -> str:
    """The page. Args: names: of the runs. cases: best and worst ones of a task, of each so many."""
    groups = [run.groups for run in runs]
    together: list[Section] = []
    differing = differing_settings(names, runs)
    if any(groups):
        together.append(("Figures", figure_tables(names, groups)))
    if differing:
        together.append(("Settings that differ", differing))
    parts = [("all", "All models" if len(runs) > 1 else "Results", together)]
    parts += [
        (f"model-{number}", f"Model {name}", _sections(run, photos, cases))
        for number, (name, run) in enumerate(zip(names, runs), start=1)
    ]
    parts = [part for part in parts if part[2]]
    title = "Report: " + ", ".join(names)
    body = [tag("h1", title), _contents(parts), tag("main", *(_part(*part) for part in parts))]
    page = tag("html", tag("head", *_head(title)), tag("body", *body), lang="en")
    return f"<!DOCTYPE html>\n{page}\n"


def _head(title: str) -> list[Markup]:
    return [
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        # Else a browser asks the server of the page for a favicon.
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        tag("style", Markup(STYLE)),
    ]


def _sections(run: RunResults, photos: Photos, cases: int) -> list[Section]:
    sections = []
    if run.config or run.flags:
        sections.append(("Configuration", settings_section(run)))
    if losses_of(run.metrics):
        sections.append(("Losses by task", loss_charts(run.metrics)))
    if run.confusion:
        sections.append(("Confusion", confusion_table(run.confusion)))
        sections.append(("Classes", class_bars(run.confusion)))
    note = [tag("p", photos.note, class_="note")] if photos.note else []
    if run.queries and cases:
        shown = retrieval_cases(run.queries, photos, cases)
        sections.append(("Retrieval: best and worst cases", joined([*note, shown])))
    if run.predictions and cases:
        shown = recognition_cases(run.predictions, photos, cases)
        sections.append(("Recognition: best and worst cases", joined([*note, shown])))
    if run.descriptions and cases:
        shown = caption_cases(run.descriptions, photos, cases)
        sections.append(("Captions: best and worst cases", joined([*note, shown])))
    return sections


def _contents(parts) -> Markup:
    entries = []
    for anchor, title, sections in parts:
        below = [_link(f"{anchor}-{n}", name) for n, (name, _) in enumerate(sections, start=1)]
        entries.append(tag("li", tag("a", title, href=f"#{anchor}"), tag("ul", *below)))
    return tag("nav", tag("ul", *entries), aria_label="Contents")


def _link(anchor: str, title: str) -> Markup:
    return tag("li", tag("a", title, href=f"#{anchor}"))


def _part(anchor: str, title: str, sections: Sequence[Section]) -> Markup:
    below = [
        tag("section", tag("h3", name, id=f"{anchor}-{n}"), content)
        for n, (name, content) in enumerate(sections, start=1)
    ]
    return tag("section", tag("h2", title, id=anchor), *below)
