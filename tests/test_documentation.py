"""What the documents show is run here, or at least exists."""

import json
import pathlib
import re
import shutil

import pytest

from data_prep.sample.sample_catalogue import write_sample_catalogue
from kaleido_tf.records import parsing, photo, record
from kaleido_tf.records.record import KALEIDO
from tests import documented_commands as documented
from tests import small_records
from tests.documented_commands import DOCUMENTS, Command, blocks, spans, start, text_of
from tests.end_to_end.commands import ROOT, run

PRODUCT = "0145872052"

# Document -> {part of a command: why it is not run}. Its flags are checked all the same.
WEIGHTS = "needs ImageNet weights of SqueezeNet"
RELEASED = "needs rows or weights of the authors' releases"
MASKS = "needs photos and masks of ECSSD and CCP, and ImageNet weights"
SUITE = "the tests themselves"
SEARCH = "tests/end_to_end/test_search.py runs it"
SAMPLE = "tests/end_to_end/test_sample.py runs it"
MVLT = "tests/end_to_end/test_mvlt.py runs it"
EXCEPTED = {
    "README.md": {
        "pip install": "installs",
        "pretrain_main.py --mode=train_and_evaluate": "takes minutes",
        "python -m pytest": SUITE,
        "original_pretrain.cfg": RELEASED,
        "data_prep.convert_easytransfer": RELEASED,
        "convert_checkpoint": RELEASED,
    },
    "CONTRIBUTING.md": {
        "pip install": "installs",
        "python -m pytest": SUITE,
        "ruff": "before every commit",
    },
    "docs/workers.md": {
        "worker_hosts": "needs two machines; tests/end_to_end/test_workers.py",
        "kaleido_tf.data_service": "serves until it is stopped; tests/test_data_service.py",
        "--data_service=": "needs that service; tests/objectives/test_pretraining.py",
    },
    "docs/original.md": {
        "data_prep.convert_easytransfer": RELEASED,
        "convert_checkpoint": RELEASED,
    },
    "docs/starts.md": {
        "minilm": "needs the weights of a text encoder",
        "pvt_tiny": "needs the weights of an image network",
    },
    "docs/results.md": {"hm": "needs the H&M photos, and " + WEIGHTS[6:], "=small": "the same"},
    "docs/recognition.md": {"hm_en": "the same", "sample_recognition.cfg": SAMPLE},
    "docs/captioning.md": {
        "hm_": "the same",
        "magento": "needs photos of Magento's demo shops, and a trained network",
        "sample_captioning.cfg": SAMPLE,
    },
    "docs/retrieval.md": {"hm_en": "the same"},
    "docs/records.md": {
        "hm_": "needs the H&M photos",
        "--share_photos": "tests/data_prep/record_writing/test_shared_photos.py runs it",
        "--runner=beam": "tests/data_prep/record_writing/test_runners.py runs it",
    },
    "docs/export.md": {
        "pip install": "installs",
        "--mode=export": "tests/end_to_end/test_export.py runs it",
        "benchmarks.export_agreement": "measures",
    },
    "docs/search.md": {
        "benchmarks.search_cost": "measures",
        "kaleido_tf.serving": SEARCH,
        "--protocol=full": SEARCH,
        "benchmarks.gallery_yardstick": "needs the H&M photos, and a trained network",
        "benchmarks.product_photos": "needs products with several photos, and a trained network",
    },
    "docs/vector_stores.md": {
        "pip install": "installs",
        "npm install": "installs",
        "npx": "needs what npm installs",
        "--mode=export": "tests/end_to_end/test_export.py runs it",
        "docs.vector_stores": "needs a store's client or an export; tests/docs runs their parts",
        "vespa deploy": "needs Vespa",
        "vespa feed": "needs Vespa",
    },
    "docs/search_page.md": {
        "kaleido_tf.serving.search_page": "serves until it is stopped; tests/serving runs it",
        "curl": "needs the page",
        "benchmarks.page_load": "measures the page",
    },
    "docs/foreground.md": {"saliency": MASKS},
    "docs/mvlt.md": {"pixels": MVLT},
    "docs/fashion_vil.md": {
        "pixels": "tests/end_to_end/test_fashion_vil.py runs its like",
        "convert_checkpoint": "tests/compat/checkpoints/test_fashion_vil_state.py converts",
        "write_pseudo_attributes": "tests/data_prep/test_write_pseudo_attributes.py runs it",
        "benchmarks.loss_curves": "draws the curves of a run that is not made here",
    },
    "docs/text_guided.md": {
        "hm_triplets": "needs the H&M photos",
        "data_prep.write_sample_triplets": "tests/data_prep/sample/test_sample_triplets.py draws",
        "drawn": "tests/end_to_end/test_text_guided.py runs its like",
    },
    "docs/outfits.md": {
        "data_prep.write_sample_outfits": "tests/data_prep/sample/test_sample_outfits.py draws",
        "drawn/": "tests/end_to_end/test_outfits.py runs its like",
    },
    "docs/image_networks.md": {
        "pip install": "installs",
        "efficientnet_lite0.onnx": "needs a trained network",
    },
    "docs/alignments.md": {"drawn": WEIGHTS, "num_products=960": WEIGHTS},
    "docs/pictures.md": {"drawn": WEIGHTS},
    "docs/report_page.md": {"python -m pytest": SUITE},
}

# Later flags win: small networks, few products, few steps.
SMALL = {
    "data_prep.write_sample_catalogue": ("--num_products=240",),
    "data_prep.write_kaleido_records": (
        "--backbone=squeezenet",
        "--backbone_weights=random",
        "--crop_size=64",
        "--patch_size=32",
    ),
    "data_prep.write_retrieval_candidates": ("--num_others=2",),
    "data_prep.train_captioner": (
        "--backbone_weights=random",
        "--cells=7",
        "--epochs=1",
        "--units=8",
        "--embedding=7",
        "--longest=9",
        "--bleu_photos=2",
    ),
    "data_prep.write_alignments": ("--backbone_weights=random", "--beam=1"),
    "data_prep.show_product": ("--backbone_weights=random", "--input_sequence_length=24"),
    "data_prep.write_easytransfer_rows": ("--input_sequence_length=24",),
    "pretrain_main.py": ("--precision=float32", "--input_sequence_length=24"),
    "finetune_main.py": (
        "--precision=float32",
        "--input_sequence_length=24",
        "--caption_words=words",  # tests/evaluation/test_caption_scores.py starts Java
    ),
}
SHORT = ("--num_epochs=0.3", "--train_batch_size=5", "--eval_batch_size=6")
SMALL_TRAINING = {
    "pretrain_main.py": (
        "--contrastive_epochs=0",
        "--comparison_epochs=1",
        "--kaleido_tasks=rotation",
        *SHORT,
    ),
    "finetune_main.py": ("--comparison_epochs=1", *SHORT),
}

# Of a model that a command makes new: whatever it is documented with.
SMALL_MODEL = {
    "hidden_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 40,
}
SMALL_COMPARISON = {
    "comparison_size": 8,
    "comparison_tower_size": 12,
    "comparison_members": 2,
    "comparison_bank": 30,
    "comparison_neighbours": 3,
}


def shell_blocks():
    return [block for block in blocks() if block.language == "bash"]


def reason_not_to_run(command):
    parts = EXCEPTED.get(command.document, {})
    return next((why for part, why in parts.items() if part in command.text), None)


class Workplace:
    """A folder in which the documents' commands find what they name; each is run once."""

    def __init__(self, folder):
        self.folder, self._outputs = folder, {}

    def run(self, command):
        if command.text not in self._outputs:
            assert command.program, f"{command.document}: neither run nor excepted: {command.text}"
            extra = SMALL.get(command.program, ())
            if {"--mode=train", "--mode=train_and_evaluate"} & {*command.arguments}:
                extra += (*SMALL_TRAINING[command.program], *self._small_model(command))
            self._outputs[command.text] = run(
                *start(command.program), *command.arguments, *extra, cwd=self.folder
            )
        return self._outputs[command.text]

    def _small_model(self, command):
        """The flag that makes the new model of a command small; none where it makes no new one."""
        given = documented.flag_values(command.arguments).get("model_config")
        if given is None:
            return ()
        content = json.loads((ROOT / given).read_text())
        small = {**content, **SMALL_MODEL}
        small |= {name: size for name, size in SMALL_COMPARISON.items() if name in content}
        path = self.folder / f"small_{pathlib.Path(given).name}"
        path.write_text(json.dumps(small))
        return (f"--model_config={path}",)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """The README's commands for one's own catalogue, run on two kinds of drawn products."""
    folder = tmp_path_factory.mktemp("documents")
    write_sample_catalogue(folder / "shop", 192, valid_fraction=0.25)
    manifest = folder / "shop" / "products.jsonl"
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    lines = [line for line in lines if line["subcategory"] in ("Sweater", "Hoodie")]
    next(line for line in lines if line["split"] == "train")["product_id"] = PRODUCT
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "run_configs").symlink_to(ROOT / "run_configs")
    place = Workplace(folder)
    for block in shell_blocks():
        if block.document == "README.md" and "shop/products.jsonl" in block.text:
            for command in block.commands:
                place.run(command)
    (folder / "sample_run").mkdir()
    (folder / "sample_run" / "records").symlink_to(folder / "records")
    shutil.copy(folder / "ranks" / "img2txt" / "eval_img2txt_results.txt", folder)
    pairs = next(b for b in blocks() if b.document == "docs/alignments.md" and b.language == "json")
    (folder / "pairs.jsonl").write_text(pairs.text)
    return place


# Whole ways from records to figures; tests/end_to_end goes the same ways with smaller models.
LONG = ("docs/captioning.md", "docs/recognition.md", "docs/results.md", "docs/retrieval.md")


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(block, marks=[pytest.mark.long] if block.document in LONG else [])
        for block in shell_blocks()
    ],
    ids=lambda block: block.name,
)
def test_shell_blocks_run(workplace, block):
    for command in block.commands:
        if not reason_not_to_run(command):
            workplace.run(command)


def test_the_readme_s_commands_leave_what_it_says(workplace):
    left = [
        "records/valid/dataset.json",
        "records/train/vocab.txt",
        *(f"model/{name}" for name in ("config.json", "vocab.txt", "flags.cfg", "metrics.jsonl")),
        *(f"ranks/{way}/eval_{way}_results.txt" for way in ("img2txt", "txt2img")),
        "ranks/txt2img/retrieval_metrics.json",
    ]
    assert [name for name in left if not (workplace.folder / name).is_file()] == []


def test_python_blocks_run(workplace, monkeypatch):
    monkeypatch.chdir(workplace.folder)
    found = [block for block in blocks() if block.language == "python"]
    assert found
    for block in found:
        exec(compile(block.text, block.name, "exec"), {})  # our own document, not a download


def test_json_blocks_are_lines_of_json():
    found = [block for block in blocks() if block.language == "json"]
    assert [json.loads(line) for block in found for line in block.text.splitlines()]


def test_blocks_are_of_known_kinds():
    """A block without a language is output that the README quotes; `text` is code of other
    projects, which is not run here.
    """
    own = ("", "text")
    kinds = {(b.document if b.language in own else "", b.language) for b in blocks()}
    foreign = {("README.md", ""), ("docs/image_networks.md", "text"), ("docs/export.md", "text")}
    assert kinds == {*foreign, ("", "bash"), ("", "python"), ("", "json")}


def test_exceptions_except_something():
    unused = {(document, part) for document, parts in EXCEPTED.items() for part in parts}
    for command in (c for block in shell_blocks() for c in block.commands):
        unused -= {
            (d, part) for d, part in unused if d == command.document and part in command.text
        }
    assert not unused


def test_commands_and_their_flags_exist():
    wrong = []
    commands = [command for block in shell_blocks() for command in block.commands]
    for command in commands + documented.inline_commands():
        if command.program is None:
            assert command.words[:3] == ["python", "-m", "pytest"] or (
                command.words[0] in ("pip", "ruff", "curl", "npm", "npx", "vespa")
            ), command
        else:
            foreign = documented.flag_names(command.arguments) - documented.flags_of(
                command.program
            )
            wrong += [f"{command.document}: {command.program} --{flag}" for flag in foreign]
    assert not wrong, "\n".join(wrong)


def test_flags_in_prose_exist():
    programs = [*documented.SCRIPTS, "benchmarks.ablations", "benchmarks.foreground_iou"]
    programs += [f"data_prep.{path.stem}" for path in ROOT.glob("data_prep/write_*.py")]
    programs += [f"data_prep.{path.stem}" for path in ROOT.glob("data_prep/train_*.py")]
    programs += ["data_prep.show_product", "data_prep.convert_easytransfer"]
    programs += ["kaleido_tf.compat.convert_checkpoint", "kaleido_tf.evaluation.retrieval"]
    serving = ("report_page", "embed", "search", "change_index", "search_page")
    programs += [f"kaleido_tf.serving.{name}" for name in serving]
    programs += ["kaleido_tf.evaluation.score_captions", "kaleido_tf.data_service"]
    known = set().union(*map(documented.flags_of, programs))
    wrong = [
        f"{document}: {span}"
        for document in DOCUMENTS
        for span in spans(document)
        for name in re.findall(r"(?<![\w-])--(\w+)", "" if span.startswith("python") else span)
        if name not in known | {"name"}
    ]
    assert not wrong, "\n".join(wrong)


def test_paths_and_modules_exist():
    name = re.compile(
        r"(?:kaleido_tf|data_prep|benchmarks|tests|run_configs|docs)[/.][\w./*]*\w/?"
        r"|\w+_main\.py"
    )
    wrong = [
        f"{document}: {span}"
        for document in DOCUMENTS
        for span in spans(document)
        if name.fullmatch(span) and not documented.exists(span)
    ]
    assert not wrong, "\n".join(wrong)


def test_links_lead_somewhere():
    wrong = []
    for document in DOCUMENTS:
        for link in re.findall(r"\]\(([^)\s]+)\)", text_of(document)):
            path = (ROOT / document).parent / link.partition("#")[0]
            if not link.startswith("https://") and not path.exists():
                wrong.append(f"{document}: {link}")
    assert not wrong, "\n".join(wrong)


def test_every_page_is_linked_from_the_readme():
    assert [name for name in DOCUMENTS[1:] if f"({name})" not in text_of("README.md")] == []


def test_every_configuration_is_described():
    text = text_of("docs/configurations.md")
    paths = [path for path in sorted((ROOT / "run_configs").rglob("*")) if path.is_file()]
    names = [path.relative_to(ROOT).as_posix() for path in paths]
    assert names and [name for name in names if f"`{name}`" not in text] == []


def test_messages_that_are_explained_are_those_of_the_code():
    rows = re.findall(r"^\| (.+?) \| ", text_of("docs/troubleshooting.md"), re.M)
    quoted = [part for row in rows for part in re.findall(r"`([^`]+)`", row)]
    quoted = [part for part in quoted if not re.fullmatch(r"--\w+", part)]
    assert len(quoted) > 30
    assert [part for part in quoted if part not in documented.messages()] == []


def test_lengths():
    assert len(text_of("README.md").splitlines()) <= 150
    assert len(text_of("CONTRIBUTING.md").splitlines()) <= 110
    for document in DOCUMENTS:
        lines = [x for x in text_of(document).splitlines() if not x.startswith(("|", "{"))]
        assert [line for line in lines if len(line) > 100] == [], document


def test_a_command_that_is_neither_run_nor_excepted_is_refused(tmp_path):
    for text in ("make all", "python -m http.server", "python other_main.py"):
        command = Command("docs/new.md", text)
        assert reason_not_to_run(command) is None
        with pytest.raises(AssertionError, match="neither run nor excepted"):
            Workplace(tmp_path).run(command)


def test_records_md_s_code_reads_every_record(tmp_path, monkeypatch):
    small_records.write(tmp_path / "records" / "train", 7, per_shard=3)
    code = next(block.text for block in blocks() if block.language == "python")
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(code, "docs/records.md", "exec"), names)  # our own document, not a download
    rows = list(names["dataset"].as_numpy_iterator())
    assert [r["product_id"] for r in rows] == [f"P{n:03d}".encode() for n in range(7)]
    assert rows[0]["patch_features"].shape == (55, small_records.FEATURE_SIZE)


def test_records_md_names_every_feature():
    rows = [line.split("|")[1] for line in text_of("docs/records.md").splitlines() if "|" in line]
    described = set(re.findall(r"`(\w+)`", "\n".join(rows)))
    assert described >= {*record.FIXED, *KALEIDO.blocks, "patch_boxes", *parsing.LISTS}
    assert described >= {*photo._PHOTO}
