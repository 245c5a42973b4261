"""Captioning: flags to a run on records."""

import dataclasses
import pathlib

import numpy as np
from absl import flags

from kaleido_tf.captioning.caption_config import CAUSAL_MASKED, FULL, CaptionTraining, Writing
from kaleido_tf.captioning.caption_examples import CaptionExamples
from kaleido_tf.captioning.caption_writer import CaptionWriter
from kaleido_tf.captioning.captioner_file import CaptionerFile, read_captioner_file
from kaleido_tf.captioning.mask_filler import MaskFiller
from kaleido_tf.captioning.product_photos import ProductPhotos, products_of
from kaleido_tf.captioning.readable_text import readable
from kaleido_tf.command_line.run_folder import leave_settings
from kaleido_tf.command_line.session import Session, begin_training, begin_use
from kaleido_tf.command_line.setting_flags import read_settings
from kaleido_tf.command_line.shared_flags import decisive_of, need
from kaleido_tf.compat.checkpoints.starting import load_start
from kaleido_tf.compat.checkpoints.weights import load_weights
from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.caption_report import (
    LINES,
    Judged,
    figures_line,
    judge_captions,
    verdicts,
    write_caption_report,
    write_captions,
)
from kaleido_tf.evaluation.caption_tokenizers import chosen_tokenizer
from kaleido_tf.evaluation.caption_yardsticks import nearest_texts, random_texts
from kaleido_tf.evaluation.photo_views import photos_of
from kaleido_tf.families import FAMILIES
from kaleido_tf.files.whole_files import check_writable
from kaleido_tf.objectives.captioning import Captioner
from kaleido_tf.objectives.fine_tuning_config import FineTuningConfig
from kaleido_tf.progress import Progress
from kaleido_tf.records.shards import read_shards
from kaleido_tf.training.checkpoints import find_checkpoint, model_files
from kaleido_tf.training.run import train as run_training
from kaleido_tf.training.strategy import make_strategy, set_precision

FLAGS = flags.FLAGS
EVALUATION = "evaluation"
"""The folder within a model's that an evaluation writes to."""
NEAREST, RANDOM = "nearest_photo", "random_text"


def run(module) -> None:
    """Does what --mode says. Args: module: the script whose flags are kept."""
    if FLAGS.input_schema:
        raise InputError(
            "--task=caption reads records; the originals released no rows for it. Received:"
            " --input_schema"
        )
    if FLAGS.mode == "evaluate":
        evaluate()
    elif FLAGS.mode == "predict":
        predict()
    else:
        train(module, evaluates=FLAGS.mode == "train_and_evaluate")


@dataclasses.dataclass(frozen=True)
class Described:
    """Products that are to be described: their photos, and what people wrote of them."""

    products: ProductPhotos
    references: list[list[str]]


def _check_writes(session: Session) -> None:
    """Raises: InputError for a family whose texts cannot be read word after word."""
    if not hasattr(FAMILIES[session.config.model_type].model, "causal_encoder"):
        raise InputError(
            "--task=caption needs a model that can read a text up to a word, a Kaleido-BERT or"
            f" FashionBERT. Received: a {session.config.model_type}"
        )


def train(module, evaluates: bool) -> None:
    """Fine-tunes a model, lets it describe --eval_input_fp, and says whether that is better than
    the texts of the nearest photos.
    """
    need("train_input_fp", "model_dir", *(["eval_input_fp"] if evaluates else []))
    settings, writing = read_settings(CaptionTraining), read_settings(Writing)
    tokenizer = chosen_tokenizer(FLAGS.caption_words) if evaluates else None
    dropout = read_settings(FineTuningConfig).dropout
    session = begin_training("captioning", FLAGS.model_config, dropout)
    _check_writes(session)
    writing.longest_in(session.text_length)
    table = session.open_table(FLAGS.train_input_fp)
    info = CaptionerFile(settings.attention, _median_length(table))
    examples = _examples(table, session, settings)
    described = _described(FLAGS.eval_input_fp, session) if evaluates else None
    if evaluates:
        _check_photos(described.products, info)
    decisive = decisive_of(CaptionTraining, FineTuningConfig)
    decisive = (*decisive, "input_sequence_length", "task")
    _check_other_task(FLAGS.model_dir)
    leave_settings(FLAGS.model_dir, session.config, session.source.vocabulary, module, decisive)
    info.write(pathlib.Path(FLAGS.model_dir))
    yardsticks = _shown_yardsticks(table, described, tokenizer) if evaluates else None
    model, _ = run_training(
        session.run,
        lambda: _build(session, settings),
        examples,
        _examples(described.products.table, session, settings).of_plain_views()
        if evaluates
        else None,
        lambda model, strategy: _begin(model, examples, session),
    )
    if evaluates:
        place = pathlib.Path(FLAGS.model_dir) / EVALUATION
        captions = _write(model, info, writing, described.products, session, FLAGS.eval_batch_size)
        _report(place, described, captions, yardsticks, tokenizer, info)
    else:
        print("no verdict: --mode=train evaluates nothing")


def evaluate() -> None:
    """Describes --eval_input_fp and judges that; with --train_input_fp beside its yardsticks."""
    need("eval_input_fp")
    writing, tokenizer = read_settings(Writing), chosen_tokenizer(FLAGS.caption_words)
    session = begin_use("captioning", FLAGS.model_config)
    writing.longest_in(session.text_length)
    info = _info_of(session)
    described = _described(FLAGS.eval_input_fp, session)
    _check_photos(described.products, info)
    place = session.output_folder(EVALUATION)
    check_writable(place)
    yardsticks = None
    if FLAGS.train_input_fp:
        table = session.open_table(FLAGS.train_input_fp)
        yardsticks = _shown_yardsticks(table, described, tokenizer)
    model = _loaded(session, info)
    captions = _write(model, info, writing, described.products, session, FLAGS.eval_batch_size)
    _report(place, described, captions, yardsticks, tokenizer, info)
    if yardsticks is None:
        print("no verdict: the yardsticks need the training records (--train_input_fp)")


def predict() -> None:
    """Describes the products of --predict_input_fp."""
    need("predict_input_fp")
    writing = read_settings(Writing)
    session = begin_use("captioning", FLAGS.model_config)
    writing.longest_in(session.text_length)
    info = _info_of(session)
    table = session.open_table(FLAGS.predict_input_fp)
    place = session.output_folder()
    check_writable(place)
    products = products_of(table, FLAGS.photos)
    _check_photos(products, info)
    model = _loaded(session, info)
    texts, scores = _write(model, info, writing, products, session, FLAGS.predict_batch_size)
    place.mkdir(parents=True, exist_ok=True)
    write_captions(place / LINES, {**_names(products), "caption": texts, "log_probability": scores})
    print(f"{place / LINES}: {len(products)} products")


def _median_length(table: RecordTable) -> int:
    """Word pieces of the median text, [CLS] and [SEP] left out."""
    return max(1, int(np.median(table.lengths[table.texts])) - 2)


def _examples(table: RecordTable, session: Session, settings: CaptionTraining) -> CaptionExamples:
    return CaptionExamples(table, session.vocabulary, settings, session.run.seed)


def _described(pattern: str, session: Session) -> Described:
    products = products_of(session.open_table(pattern), FLAGS.photos)
    texts = _texts(products.table)
    # Each different text of a product's photos is a reference.
    references = [list(dict.fromkeys(texts[n] for n in numbers)) for numbers in products.records]
    return Described(products, references)


def _check_photos(products: ProductPhotos, info: CaptionerFile) -> None:
    """Before anything is trained or written. Raises: InputError for products of several photos,
    where captions are filled into one sequence, which has no places for them.
    """
    most = max(map(len, products.records))
    if not info.writes_forward and most > 1:
        raise InputError(
            f"Captions by --caption_attention={info.attention} read one photo. Received: products"
            f" with up to {most}. Use --photos=first"
        )


def _texts(table: RecordTable) -> list[str]:
    return [record.text for record in read_shards(table.files)]


def _check_other_task(folder: str) -> None:
    """Raises: InputError if a run of another task is in the folder."""
    if find_checkpoint(folder):
        read_captioner_file(pathlib.Path(folder))


def _build(session: Session, settings: CaptionTraining) -> Captioner:
    causal = settings.attention != FULL
    return Captioner(session.config, session.text_length, causal, settings.smoothing)


def _begin(model: Captioner, examples: CaptionExamples, session: Session) -> None:
    # Before the weights: a BERT of texts alone has none that normalise image features.
    model.backbone.prepare(examples)
    if session.source.starts:
        load_start(model.backbone, *session.source.starts)


def _info_of(session: Session) -> CaptionerFile:
    return read_captioner_file(model_files(session.source.start)[0].parent)


def _loaded(session: Session, info: CaptionerFile) -> Captioner:
    set_precision(session.run.device.precision)
    with make_strategy(session.run.device).scope():
        model = _build(session, CaptionTraining(attention=info.attention))
    load_weights(model.backbone, session.source.start)
    return model


def _write(
    model: Captioner,
    info: CaptionerFile,
    writing: Writing,
    products: ProductPhotos,
    session: Session,
    batch_size: int,
) -> tuple[list[str], np.ndarray]:
    """The captions of all products, and their scores."""
    vocabulary, backbone = session.vocabulary, model.backbone
    if info.writes_forward:
        behind_mask = info.attention == CAUSAL_MASKED
        writer = CaptionWriter(backbone, vocabulary, writing, behind_mask)
    else:
        writer = MaskFiller(backbone, vocabulary, min(info.median_length, model.text_length - 2))
    texts, scores = [], []
    with Progress("captions", len(products), "products") as progress:
        for features, boxes, mask in products.batches(batch_size):
            ids, values = writer.write(features, boxes, mask)
            texts += [readable(row, vocabulary) for row in ids]
            scores.append(values)
            progress.done(len(ids))
    return texts, np.concatenate(scores)


def _names(products: ProductPhotos) -> dict[str, list]:
    image_ids = products.table.image_ids
    return {
        "product_id": list(products.product_ids),
        "image_ids": [[image_ids[number] for number in numbers] for numbers in products.records],
    }


def _shown_yardsticks(
    training: RecordTable, described: Described, tokenizer: str
) -> dict[str, Judged]:
    every, products = _texts(training), described.products
    texts = [every[number] for number in photos_of(training).plain]
    captions = {
        NEAREST: nearest_texts(training, texts, products.table, products.records),
        RANDOM: random_texts(texts, len(products), FLAGS.seed),
    }
    judged = judge_captions(captions, described.references, tokenizer)
    for name, title in ((NEAREST, "the nearest photo's text"), (RANDOM, "any training text")):
        print(figures_line(f"yardstick, {title}", judged[name], tokenizer), flush=True)
    return judged


def _report(place, described, captions, yardsticks, tokenizer, info) -> None:
    texts, scores = captions
    products = described.products
    judged = judge_captions({"model": texts}, described.references, tokenizer)
    judgements = []
    if yardsticks:
        judged.update(yardsticks)
        judgements = verdicts(judged["model"], judged[NEAREST], tokenizer, products.product_ids)
    settings = {"task": "caption", "attention": info.attention, "photos": FLAGS.photos}
    write_caption_report(place, judged, tokenizer, judgements, products.product_ids, settings)
    columns = {
        **_names(products),
        "caption": texts,
        "log_probability": scores,
        "references": described.references,
        f"cider_{tokenizer}": judged["model"].scores.cider,
    }
    if yardsticks:
        columns[NEAREST] = list(judged[NEAREST].texts)
    write_captions(place / LINES, columns)
    print(
        figures_line("captions of the model", judged["model"], tokenizer) + f"; written to {place}"
    )
    for judgement in judgements:
        print(judgement)
