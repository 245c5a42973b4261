"""The paper's ablations: what each column trains, which runs are shared, and what the table says
of results. One column runs for real.
"""

import json
import pathlib

import pytest
from absl import flags

from benchmarks import ablation_runs
from benchmarks.ablation_columns import (
    COLUMNS,
    FLAG_FILES,
    KINDS,
    chosen_columns,
    first_of_group,
    flags_of,
    flags_on_a_text_encoder,
    paper_figures,
    recipe_of,
)
from benchmarks.ablation_records import KindOfRecords, check_records
from benchmarks.ablation_runs import AblationRun
from benchmarks.ablation_table import (
    MATCHING,
    RANKS,
    SUM,
    Figure,
    column_figures,
    comparisons,
    markdown,
    verdict,
    with_sum,
)
from data_prep.record_writing.candidates import CandidateSettings, draw_candidates, write_candidates
from kaleido_tf.command_line.setting_flags import define_setting_flags, read_settings
from kaleido_tf.command_line.shared_flags import define_shared_flags, read_run
from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.data.record_table import read_record_table
from kaleido_tf.errors import InputError
from kaleido_tf.families import read_config, tasks_of
from kaleido_tf.files.input_files import find_files
from kaleido_tf.objectives.pretraining_config import PretrainingConfig
from kaleido_tf.patches import LEVEL_NAMES
from kaleido_tf.records.record import GRIDS, KALEIDO
from kaleido_tf.text import Vocabulary
from tests import small_records
from tests.end_to_end.commands import ROOT, run

TASKS = {
    "scale_fixed": ("image",),
    "kaleido": LEVEL_NAMES,
    "kaleido_saliency": LEVEL_NAMES,
    "random": LEVEL_NAMES,
    "aligned": LEVEL_NAMES,
    "b": (),
    "b_i": LEVEL_NAMES[:1],
    "b_i_ii": LEVEL_NAMES[:2],
    "b_i_iii": LEVEL_NAMES[:3],
    "b_i_iv": LEVEL_NAMES[:4],
    "b_i_v": LEVEL_NAMES,
    "b_v": LEVEL_NAMES[4:],
}


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture
def values(monkeypatch):
    """The flags of pretrain_main.py, in the place of the process's."""
    own = flags.FlagValues()
    monkeypatch.setattr(flags, "FLAGS", own)
    for kind in ("integer", "float", "boolean", "enum", "list", "string"):
        original = getattr(flags, f"DEFINE_{kind}")
        monkeypatch.setattr(
            flags,
            f"DEFINE_{kind}",
            lambda *given, original=original, **more: original(*given, flag_values=own, **more),
        )
    for name in ("model_config", "mode", "type", "predict_input_fp", "output_dir"):
        flags.DEFINE_string(name, None, "As in pretrain_main.py.")
    define_setting_flags(PretrainingConfig)
    define_setting_flags(ExamplesConfig)
    define_shared_flags()
    return own


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_trains_what_its_name_says(values, name):
    values(["command", *flags_of(name)])
    tasks = read_settings(PretrainingConfig).tasks
    config = read_config(values.model_config)
    assert tasks_of(config, tasks) == TASKS[name]
    assert read_settings(ExamplesConfig).masking == ("random" if name == "random" else "aligned")
    assert config.model_type == ("imagebert" if name == "scale_fixed" else "kaleidobert")
    assert read_run().learning_rate == 3e-4
    kind = COLUMNS[name].records
    assert f"# Records: {kind} (" in (FLAG_FILES / f"{name}.cfg").read_text()


@pytest.mark.parametrize("name", ["scale_fixed", "b_i"])
def test_a_column_on_a_text_encoder_names_no_sizes(values, name):
    values(["command", *flags_on_a_text_encoder(flags_of(name))])
    content = json.loads(pathlib.Path(values.model_config).read_text())
    own = {flag.partition("=")[0]: flag.partition("=")[2] for flag in flags_of(name)}
    from_scratch = json.loads(pathlib.Path(own["--model_config"]).read_text())
    left_out = {
        *("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"),
        *("max_position_embeddings", "initializer_range"),
    }
    assert content == {k: v for k, v in from_scratch.items() if k not in left_out}
    assert read_settings(PretrainingConfig).contrastive_epochs == 0
    assert read_run().learning_rate == 1e-4


def test_every_flag_file_is_a_column_or_shared():
    files = {path.stem for path in FLAG_FILES.glob("*.cfg")}
    assert files == {*COLUMNS, "base", "text_encoder"}


def test_the_three_names_of_the_full_method_are_one_recipe():
    shared = {name: recipe_of(name) for name in COLUMNS if recipe_of(name) != name}
    assert shared == {"aligned": "kaleido_saliency", "b_i_v": "kaleido_saliency"}


def test_columns_are_chosen_by_the_records_that_are_there():
    given = {"scale_fixed": None, "kaleido": "whole", "saliency": None}
    assert chosen_columns([], given) == ["kaleido"]
    every = dict.fromkeys(KINDS, "records")
    assert chosen_columns(["b_v", "kaleido"], every) == ["kaleido", "b_v"]
    assert chosen_columns([], every) == list(COLUMNS)
    with pytest.raises(InputError, match="--columns=b_i needs --records_saliency. Received"):
        chosen_columns(["kaleido", "b_i"], given)
    with pytest.raises(InputError, match="--columns must be of scale_fixed, .* Received: b_vi"):
        chosen_columns(["b_i", "b_vi"], every)
    with pytest.raises(InputError, match="At least one of --records_scale_fixed, .* is needed"):
        chosen_columns([], dict.fromkeys(KINDS))


def test_the_paper_s_table_adds_up():
    assert list(paper_figures()) == list(COLUMNS)
    for name, figures in paper_figures().items():
        assert sum(figures[rank] for rank in RANKS) == pytest.approx(figures[SUM], abs=0.005), name


def made_records(folder, layout=KALEIDO, foreground="border", alignments=True, lists=True):
    """Records of both splits that say of themselves what real ones say."""
    for split, count in (("train", 13), ("valid", 8)):
        place = small_records.write(folder / split, count, layout=layout)
        path = place / "dataset.json"
        more = {"foreground": foreground, "products_digest": f"{count} products"}
        more |= {"alignments": {"records": 0}} if alignments else {}
        path.write_text(json.dumps({**json.loads(path.read_text()), **more}))
    if lists:
        files = find_files(str(place))
        table = read_record_table(files, Vocabulary(), 64, small_records.FEATURE_SIZE)
        write_candidates(*draw_candidates(table, CandidateSettings(num_others=1)), str(place))
    return folder


def records_of(**given):
    return {kind: given.get(kind) and str(given[kind]) for kind in KINDS}


def test_records_of_another_kind_are_refused(tmp_path):
    whole = made_records(tmp_path / "whole", foreground="none")
    grid = made_records(tmp_path / "grid", GRIDS[4], "none", alignments=False)
    check_records(["kaleido", "scale_fixed"], records_of(kaleido=whole, scale_fixed=grid))
    with pytest.raises(InputError, match="--records_saliency needs .* with another foreground"):
        check_records(["b"], records_of(saliency=whole))
    with pytest.raises(InputError, match="--records_kaleido needs .*layout=grid_4x4"):
        check_records(["kaleido"], records_of(kaleido=grid))


def test_records_without_what_a_column_needs_are_refused(tmp_path):
    bare = made_records(tmp_path / "bare", alignments=False)
    check_records(["random"], records_of(saliency=bare))
    with pytest.raises(InputError, match="--columns=b needs alignments in --records_saliency"):
        check_records(["b"], records_of(saliency=bare))
    unlisted = made_records(tmp_path / "unlisted", lists=False)
    with pytest.raises(InputError, match="--records_saliency needs candidate lists"):
        check_records(["b"], records_of(saliency=unlisted))


def test_records_of_other_products_are_refused(tmp_path):
    product = made_records(tmp_path / "product")
    whole = made_records(tmp_path / "whole", foreground="none")
    both = records_of(kaleido=whole, saliency=product)
    assert list(check_records(["kaleido", "b"], both)) == ["kaleido", "saliency"]
    path = whole / "valid" / "dataset.json"
    path.write_text(path.read_text().replace("8 products", "other products"))
    with pytest.raises(InputError, match="the same products and candidate lists. .*_saliency="):
        check_records(["kaleido", "b"], both)


def test_mean_and_spread_and_sum():
    run = with_sum({**dict.fromkeys(RANKS, 0.1), MATCHING: 0.5})
    assert run[SUM] == pytest.approx(60) and run[MATCHING] == 50
    figures = column_figures([run, {**run, SUM: 63.0}, {**run, SUM: 66.0}])
    assert figures[SUM].mean == pytest.approx(63) and figures[SUM].spread == pytest.approx(3)
    assert str(figures[SUM]) == "63.0 +- 3.0" and str(Figure.of([7.25])) == "7.2"
    difference = Figure(5.0, 3.0).minus(Figure(1.0, 4.0))
    assert difference == Figure(4.0, 5.0)
    assert Figure(5.0, 3.0).minus(Figure(1.0, None)) == Figure(4.0, None)


def test_signs():
    assert verdict(Figure(2.0, 1.0), 0.1) == "agrees"
    assert verdict(Figure(-2.0, 1.0), 0.1) == "opposite"
    assert verdict(Figure(-0.5, 1.0), -3.0) == "agrees, within the spread"
    assert verdict(Figure(0.5, 1.0), -3.0) == "opposite, within the spread"
    assert verdict(Figure(0.5, None), -3.0) == "opposite, one seed"
    assert verdict(Figure(1e-13, 1.0), -3.0) == "no difference, within the spread"


def made_figures(level):
    return column_figures(
        [{**dict.fromkeys(RANKS, level), SUM: 6 * level + n, MATCHING: 50.0} for n in (0, 2)]
    )


def test_the_table_of_made_results():
    columns = {"scale_fixed": made_figures(9), "kaleido_saliency": made_figures(8)}
    columns |= {"aligned": made_figures(8), "b_v": made_figures(8)}
    assert first_of_group("b_v") == "b" and list(comparisons(columns)) == ["kaleido_saliency"]
    table = markdown(columns, with_sum({**dict.fromkeys(RANKS, 0.05), MATCHING: 0.5}))
    lines = {line.split(" | ")[1]: line for line in table.splitlines()[2:]}
    assert lines["chance"].split(" | ")[2:10] == [*["5.0"] * 6, "30.0", "50.0"]
    product = lines["kaleido_saliency"]
    assert "| 49.0 +- 1.4 (paper 319.5) |" in product and "| KPG |" in product
    assert "| -6.0 (paper +42.5): opposite |" in product
    assert "8.0 +- 0.0 (paper 28.0)" in product
    assert "aligned (the runs of kaleido_saliency)" in lines
    assert len({line.count(" | ") for line in table.splitlines()}) == 1


METRICS = {
    **{f"rank@{k}": k / 20 for k in (1, 5, 10)},
    "chance": {f"rank@{k}": k / 40 for k in (1, 5, 10)},
}


@pytest.mark.parametrize(("name", "tasks"), [("scale_fixed", None), ("b_i_ii", [])])
def test_what_a_run_asks_for(values, tmp_path, monkeypatch, name, tasks):
    """Flags that pretrain_main.py knows; FashionBERT, whose losses need its task, keeps it."""
    asked = {}

    def pretrain(*arguments):
        values(["command", *arguments])
        asked[values.mode] = values.flag_values_dict()
        if values.mode == "predict":
            folder = pathlib.Path(values.output_dir)
            folder.mkdir()
            (folder / "retrieval_metrics.json").write_text(json.dumps(METRICS))
        return "evaluation of model: loss 1.0000, next_sentence_accuracy 0.6250"

    monkeypatch.setattr(ablation_runs, "_pretrain", pretrain)
    records = KindOfRecords(tmp_path / "records", "digest")
    one = AblationRun(tmp_path / "run", name, records, 7, 3.0, "minilm")
    one.claim()
    assert one.figures()["txt2img rank@5"] == 0.25 and one.figures()[MATCHING] == 0.625
    assert one.chance()["img2txt rank@10"] == 0.25 and one.chance()[MATCHING] == 0.5
    assert list(asked) == ["train", "predict", "evaluate"]
    train, evaluate = asked["train"], asked["evaluate"]
    assert train["pretrain_model_name_or_path"] == "minilm" and train["seed"] == 7
    assert train["num_epochs"] == 3 and train["negatives_rise_epochs"] == 1.5
    assert evaluate["kaleido_tasks"] == tasks and evaluate["masking"] == "random"
    with pytest.raises(InputError, match="holds a run of other flags, budget, start or records"):
        AblationRun(tmp_path / "run", name, records, 7, 3.0, None).claim()


@pytest.mark.long
def test_one_column_for_real(tmp_path, monkeypatch):
    """The smallest column: trained, evaluated, ranked where that is not done yet, written into the
    table; a second start runs nothing, and other flags are refused.
    """
    product = made_records(tmp_path / "product")
    config = tmp_path / "config.json"
    small = json.loads((ROOT / "run_configs" / "small_kaleido_bert.json").read_text())
    sizes = {"hidden_size": 12, "num_hidden_layers": 1, "intermediate_size": 20}
    config.write_text(json.dumps({**small, **sizes}))
    commands = []

    def pretrain(*arguments):
        commands.append(arguments[0])
        little = (f"--model_config={config}", "--contrastive_epochs=0", "--precision=float32")
        more = little if arguments[0] == "--mode=train" else ()
        return run(ROOT / "pretrain_main.py", *arguments, *more, cwd=ROOT)

    monkeypatch.setattr(ablation_runs, "_pretrain", pretrain)
    records = check_records(["b"], records_of(saliency=product))["saliency"]
    one = AblationRun(tmp_path / "runs" / "b" / "7", "b", records, 7, 1.0, None)
    one.claim()
    (one.folder / "txt2img").mkdir()
    (one.folder / "txt2img" / "retrieval_metrics.json").write_text(json.dumps(METRICS))
    figures = one.figures()
    assert set(figures) == {*RANKS, MATCHING} and all(0 <= f <= 1 for f in figures.values())
    assert commands == ["--mode=train", "--mode=predict", "--mode=evaluate"]
    command = ("-m", "benchmarks.ablations", "--columns=b", f"--output_dir={tmp_path}/runs")
    command += (f"--records_saliency={product}", "--seeds=7")
    output = run(*command, "--num_epochs=1", cwd=ROOT)  # goes on with what is there
    assert "b, seed 7: SumR" in output and "1 epochs from random weights, seeds 7" in output
    assert (tmp_path / "runs" / "ablations.md").read_text() in output
    content = json.loads((tmp_path / "runs" / "ablations.json").read_text())
    assert content["chance"]["img2txt rank@1"] == 50 and content["chance"][SUM] == 290
    assert content["columns"]["b"][MATCHING] == {"mean": 100 * figures[MATCHING], "spread": None}
    refused = run(*command, "--num_epochs=2", cwd=ROOT, status=1)
    assert "holds a run of other flags, budget, start or records" in refused
    refused = run(*command, "--seeds=7,07", cwd=ROOT, status=1)
    assert "--seeds must be whole numbers from 0 to 4294967295, each once" in refused
