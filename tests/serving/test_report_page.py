"""The page of results: every section says what the files say, nothing in it is markup of others,
and it asks for nothing.
"""

import html.parser
import json
import re

import numpy as np
import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.query_cases import QueryCase, Side
from kaleido_tf.serving import recognition_section
from kaleido_tf.serving.figure_tables import figure_tables
from kaleido_tf.serving.figures import Figure, FigureGroup, always_the_most_frequent
from kaleido_tf.serving.loss_charts import losses_of
from kaleido_tf.serving.markup import tag
from kaleido_tf.serving.page import report_page
from kaleido_tf.serving.photos import NO_CATALOGUE, Photo, Photos
from kaleido_tf.serving.retrieval_section import retrieval_cases
from kaleido_tf.serving.run_results import read_run, short_names
from kaleido_tf.training.metrics_log import read_metrics
from tests import results_of_runs as results
from tests.end_to_end.commands import run

RIVALS = ("came first", "ties with it", "next behind it")


class Document(html.parser.HTMLParser):
    """A page's elements with their attributes, in order; all must be closed."""

    def __init__(self, text):
        super().__init__()
        self.elements, self._open, self._texts = [], [], []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        if name not in ("meta", "link", "img"):
            self._open.append(name)

    def handle_endtag(self, name):
        assert self._open.pop() == name

    def handle_data(self, data):
        if self._open[-1:] != ["style"]:
            self._texts.append(data)

    def of(self, name):
        return [attributes for element, attributes in self.elements if element == name]

    @property
    def text(self):
        """What is read, with single spaces."""
        return " ".join(" ".join(self._texts).split())


def write_page(folder, *arguments, status=0):
    """What the command says."""
    command = ("-m", "kaleido_tf.serving.report_page", *map(str, arguments))
    return run(*command, cwd=folder, status=status)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Runs of all kinds, a catalogue, and the page of them."""
    place = tmp_path_factory.mktemp("page")
    results.write_everything(place)
    models = ("--model_dir=runs/one", "--model_dir=runs/two")
    said = write_page(place, *models, "--catalogue=shop", "--cases=2", "--output=out/report.html")
    assert said.startswith("out/report.html: 2 models, ")
    return place


@pytest.fixture(scope="module")
def text(folder):
    return (folder / "out" / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text):
    return Document(text)


def test_page_is_whole_and_names_nothing_outside_of_it(text, page):
    assert not re.search(r"(?:https?:)?//\w", re.sub(r'"data:[^"]*"', "", text))
    assert not re.search(r"url\(|@import", text)
    assert {
        a.get("src", a.get("href"))[:1] for _, a in page.elements if {"src", "href"} & {*a}
    } <= {"#", "d"}
    policy = next(m["content"] for m in page.of("meta") if "http-equiv" in m)
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert page.of("html") == [{"lang": "en"}] and page.of("meta")[0] == {"charset": "utf-8"}
    assert any(m.get("name") == "viewport" for m in page.of("meta"))


def test_markup_in_titles_texts_and_names_is_text(text, page):
    assert not page.of("script") and not page.of("b") and not page.of("i") and not page.of("u")
    for told in (results.TITLE, "one </li> coat", f"one {results.SCRIPT} coat", "true: <a>"):
        assert told in page.text
    alts = {image["alt"] for image in page.of("img")}
    assert f"Photo of {results.TITLE} (product P0)" in alts


def test_a_script_for_a_title_is_text(folder):
    title = f"{results.SCRIPT}' \" onerror="
    photo = Photo(title, lambda: np.zeros([3, 2, 3], np.uint8))
    photos = Photos({"P0_1": photo})
    run_of_one = read_run(folder / "runs" / "one")
    shown = Document(report_page(["<b>"], [run_of_one], photos, 1))
    assert not shown.of("script") and f"{title} P0" in shown.text and "Model <b>" in shown.text
    assert {image["alt"] for image in shown.of("img")} == {f"Photo of {title} (product P0)"}
    assert all(set(image) == {"src", "alt", "width", "height"} for image in shown.of("img"))


def test_half_a_surrogate_pair_is_a_question_mark():
    assert tag("p", "a\ud800b", title='"') == '<p title="&quot;">a?b</p>'


def test_contents_lead_to_every_section(page):
    targets = [link["href"][1:] for link in page.of("a")]
    anchors = [a["id"] for name, a in page.elements if name in ("h2", "h3")]
    assert targets == anchors and len(set(anchors)) == len(anchors) == 3 + 2 + 2 * 6 + 1
    assert len(page.of("h1")) == 1


def test_tables_have_captions_and_scopes(page):
    heads = page.of("th")
    assert len(page.of("table")) == len(page.of("caption")) > 10
    assert {head["scope"] for head in heads} == {"row", "col", "colgroup"}
    assert len(page.of("div")) >= len(page.of("table"))  # each in a box that scrolls


def test_pictures_are_small_and_have_texts(page):
    images = page.of("img")
    # 2 models, each 2 hits, 2 misses, and of 3 captions the best 2 and the worst; 4 queries of one
    # with two photos each
    assert len(images) == 2 * (2 + 2 + 2 + 1) + 4 * 2
    assert all(i["alt"] and i["src"].startswith("data:image/jpeg;base64,") for i in images)
    assert {(i["width"], i["height"]) for i in images} >= {("107", "160")}
    assert all(svg["role"] == "img" and "loss" in svg["aria-label"] for svg in page.of("svg"))


def test_figures_stand_beside_interval_yardstick_and_chance(folder, page):
    content = results.write_recognition(folder / "again")
    low, high = content["interval_95"]["accuracy"]
    row = f"accuracy {content['accuracy']:.4f} {low:.4f} to {high:.4f} 0.8000 0.4000"
    assert page.text.count(row) == 1 and content["yardstick"]["accuracy"] == 0.8
    assert "macro-F1 over the classes with an example here" in page.text
    assert "Rank@1 (txt2img, lists of 3 candidates) 50.00%" in page.text  # of 4 queries
    assert "Rank@1 (txt2img, lists of 3 candidates) 40.00%" in page.text  # of 5: another table
    assert "CIDEr, words tokens" in page.text and "33.33%" in page.text
    verdict = content["verdict"]["difference"]
    assert f"difference {verdict:+.4f} (95% interval " in page.text


def test_figures_of_another_protocol_stand_in_another_table():
    one, other = (FigureGroup("t", (Figure("f", 1.0),), way, {}) for way in "ab")
    assert len(Document(figure_tables("xyz", [[one], [other], [one]])).of("table")) == 2


def test_settings_that_differ_are_those(page):
    assert "Settings in which the models differ setting runs/one runs/two hidden_size 24 48" in (
        page.text
    )
    assert "task <b> num_epochs 7 xla no" in page.text


def test_chance_is_the_most_frequent_class_of_training():
    classes = {
        "a": {"train": 5, "support": 2},
        "b": {"train": 9, "support": 1},
        "c": {"train": 1, "support": 0},
    }
    # Always b: precision 1/3, recall 1, F1 1/2; the mean is over a and b.
    expected = {"accuracy": 1 / 3, "macro_f1": 0.25, "weighted_f1": 0.5 / 3}
    assert always_the_most_frequent(classes, 3) == pytest.approx(expected)


def test_losses_by_task_leave_out_what_is_no_number(folder):
    losses = losses_of(read_metrics(folder / "runs/one/metrics.jsonl"))
    assert list(losses) == ["loss", "masked_lm_loss", "rotation_loss"]
    assert losses["rotation_loss"]["train"] == [(2, 2.5), (4, 1.75), (6, 1.5)]
    assert [step for step, _ in losses["loss"]["eval"]] == [4, 6]


def test_the_sum_of_one_task_is_not_shown(tmp_path):
    results.write_losses(tmp_path, ("caption",))
    assert list(losses_of(read_metrics(tmp_path / "metrics.jsonl"))) == ["caption_loss"]


def test_confusion_shows_counts_and_what_they_are(page):
    assert "<a> (2)" in page.text and "b (2)" in page.text
    titles = {cell.get("title"): cell for cell in page.of("td") if "title" in cell}
    assert titles["b recognised as <a>: 2 of 2"]["class"] == "miss"
    assert titles["<a> recognised as <a>: 2 of 2"]["class"] == "hit"
    assert len(titles) == 3


def test_of_many_classes_the_most_frequent_are_shown(tmp_path):
    names = [f"k{n:02d}" for n in range(70)]
    results.write_recognition(tmp_path, names)
    confusion = read_run(tmp_path).confusion
    told = Document(recognition_section.confusion_table(confusion)).text
    assert "Of 70 classes these are the 40 with the most examples" in told
    assert "k39" in told and "k40" not in told
    bars = Document(recognition_section.class_bars(confusion))
    assert "k69" in bars.text and bars.of("div")[1]["style"].startswith("width:")


def test_cases_are_the_surest_hits_and_misses(page):
    told = page.text
    assert "2 of 2 examples that were recognised" in told
    assert "2 of 3 examples that were taken for another class" in told
    order = [told.index(f"Skirt {n} P{n} true: ") for n in (1, 3, 4)]  # 0.7; then 0.8, 0.6
    assert order == sorted(order) and "predicted: <a> (80.0%)" in told
    assert "Skirt 2 P2 true" not in told


def test_captions_stand_beside_references_and_the_nearest_photo(page):
    said = (
        "caption of the model a long red dress reference a long red dress"
        " yardstick: the nearest photo's text a short red dress"
    )
    assert page.text.count(said) == 2


def test_queries_stand_beside_their_right_answer_and_the_best_wrong_one(page):
    told = page.text
    assert "Best cases: the photo of a text 2 of 5 queries" in told
    # P0 wins by 10, P2 by 7, P3 by 6, P4 by 5; P1 comes second.
    assert "number 1 of 5. query Skirt 2 P2 right answer Skirt 2 P2 next behind it" in told
    worst = told[told.index("Worst cases: the photo of a text") :]
    second = "number 2 of 5. query Skirt 1 P1 right answer Skirt 1 P1 came first"
    assert worst.index(second) < worst.index("query Skirt 4 P4")
    assert "query Skirt 3" not in told


@pytest.mark.parametrize(
    "margin, rank, told",
    [
        (-1.5, 2.0, "came first"),
        (0.0, 1.5, "ties with it"),
        (0.0, 3.0, "ties with it"),
        (0.5, 1.0, "next behind it"),
    ],
)
def test_the_best_wrong_answer_is_called_what_it_is(margin, rank, told):
    case = QueryCase("txt2img", Side("Q"), Side("Q", "Q_1"), Side("R", "R_1"), rank, 5, margin)
    shown = Document(retrieval_cases([case], Photos({}), 1)).text
    assert [words for words in RIVALS if words in shown] == [told]


def test_without_a_catalogue_the_page_says_so(folder):
    said = write_page(folder, "--model_dir=runs/one", "--output=bare.html")
    bare = Document((folder / "bare.html").read_text())
    assert NO_CATALOGUE in said and bare.text.count(NO_CATALOGUE) == 3
    assert not bare.of("img") and "Settings that differ" not in bare.text


def test_photo_that_the_catalogue_lacks_is_told(folder, tmp_path):
    lines = (folder / "shop" / "products.jsonl").read_text().splitlines(keepends=True)
    (folder / "shop" / "few.jsonl").write_text("".join(lines[1:]))
    arguments = ("--model_dir=runs/two", "--catalogue=shop/few.jsonl", "--output=few.html")
    write_page(folder, *arguments)
    assert "The catalogue has no photo P0_1." in Document((folder / "few.html").read_text()).text


def test_sections_are_only_for_what_is_there(tmp_path):
    results.write_retrieval(tmp_path / "retrieval_metrics.json")
    write_page(tmp_path, "--model_dir=.", "--output=x.html")
    told = Document((tmp_path / "x.html").read_text())
    assert [a["id"] for name, a in told.elements if name in ("h2", "h3")] == ["all", "all-1"]


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("config.json", "{", "config.json must be JSON"),
        ("metrics.jsonl", "[]\n", "metrics.jsonl line 1"),
        ("metrics.jsonl", '{"kind": "train", "step": "x"}\n', "metrics.jsonl: numbers are needed"),
        ("retrieval_metrics.json", "{}", "retrieval_metrics.json: what an evaluation writes is"),
        ("evaluation/recognition.json", '{"task": 3}', "recognition.json: what an evaluation"),
        ("evaluation/captions.json", "[]", "captions.json must hold a JSON object"),
        ("evaluation/examples.jsonl", '{"product_id": 1}\n', "examples.jsonl line 1: what"),
        ("evaluation/captions.jsonl", "{}\n", "captions.jsonl line 1: what"),
    ],
)
def test_broken_files_are_named(tmp_path, name, content, message):
    results.write_recognition(tmp_path / "evaluation")
    results.write_caption_results(tmp_path / "evaluation")
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=re.escape(message)):
        read_run(tmp_path)


def test_counts_that_are_no_square_are_refused(tmp_path):
    content = results.write_recognition(tmp_path)
    content["confusion"]["counts"].pop()
    (tmp_path / "recognition.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="a confusion of 3 x 3 counts is needed"):
        read_run(tmp_path)


def test_folders_without_a_run_are_refused(tmp_path):
    with pytest.raises(InputError, match="--model_dir: the folder of a model is needed"):
        read_run(tmp_path / "none")
    with pytest.raises(InputError, match="a folder with one of config.json"):
        read_run(tmp_path)
    with pytest.raises(InputError, match="each folder once is needed"):
        short_names(["a/b", "c", "a/b/"])
    assert short_names(["x/a/model", "x/b/model"]) == ["a/model", "b/model"]
    assert short_names(["1/a/m", "2/a/m"]) == ["1/a/m", "2/a/m"]


def test_output_that_cannot_be_written_is_refused(folder, tmp_path):
    (tmp_path / "file").write_text("")
    for output, message in (
        (tmp_path, "--output: an HTML file is needed. Received a folder"),
        (tmp_path / "file" / "x.html", "A folder to write into is needed"),
    ):
        said = write_page(folder, "--model_dir=runs/one", f"--output={output}", status=1)
        assert message in said and "Traceback" not in said
