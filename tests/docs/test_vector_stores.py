import json
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pyarrow.parquet as pq
import pytest

from docs.vector_stores import elastic, exported, rows, stores, vespa
from kaleido_tf.errors import InputError
from kaleido_tf.export.model_graph import ModelGraph
from kaleido_tf.export.signatures import prepared_signatures
from kaleido_tf.search.exact_search import ExactSearch
from kaleido_tf.search.index_folder import open_index
from kaleido_tf.search.parquet_file import write_parquet
from tests import small_index
from tests.models_to_export import COMPARES, tiny

D = small_index.DIMENSION
VIEWS, PATCHES, SIZE, TEXT_LENGTH = 2, 4, 3, 8


@pytest.fixture(params=[True, False], ids=["corrected", "plain"])
def index(request, tmp_path):
    return open_index(small_index.write(tmp_path / "i", 23, 2, corrected=request.param))


@pytest.fixture
def parquet(index, tmp_path):
    write_parquet(index, tmp_path / "x.parquet")
    return rows.open_parquet(tmp_path / "x.parquet")


class Model:
    """Stands for `Exported`: a photo's part of the match hubness is the mean of its features."""

    text_length, digest = TEXT_LENGTH, "model"

    def __init__(self, folder):
        self.folder = folder

    def path(self, signature):
        path = self.folder / f"{signature}.onnx"
        path.write_bytes(b"a model")
        return path

    def ask(self, signature, output, patch_features, patch_boxes):
        assert (signature, output) == ("photo_match_hubness", "match_hubness")
        assert patch_features.dtype == np.float32 and patch_boxes.dtype == np.int32
        return patch_features.mean(axis=(1, 2))


class Photos:
    """Stands for `RecordedPhotos`."""

    def __init__(self, views=lambda image: VIEWS):
        self._views = views

    def read(self, image):
        draw, views = np.random.default_rng([*image.encode()]), self._views(image)
        features = draw.normal(size=[views, PATCHES, SIZE]).astype(np.float16)
        return features, draw.integers(0, 9, [views, PATCHES, 5])


def test_an_inner_product_of_one_more_component_is_the_search_s_score(index, parquet):
    stored = [row for batch in rows.batches(parquet, 4) for row in batch]
    vectors = np.array([row["vector"] for row in stored], np.float32)
    assert vectors.shape == (23, D + 1) and rows.components(parquet) == D + 1
    queries = small_index.unit_vectors(6, seed=9)
    found, scores = ExactSearch(index).search(queries, 5)
    for query, best, expected in zip(queries, found, scores):
        products = vectors @ np.array(rows.asked(query), np.float32)
        ranked = {}
        for place in np.argsort(-products, kind="stable"):
            ranked.setdefault(stored[place]["product_id"], products[place])
        names = [index.items[row]["product_id"] for row in best]
        assert [*ranked][:5] == names
        np.testing.assert_allclose([*ranked.values()][:5], expected, atol=1e-6)


def test_rows_have_the_fields_and_no_nulls(tmp_path):
    fields = {"title": ["x", None], "tags": [["a"], None]}
    parts = [small_index.block(["A", "B"], **fields)]
    settings = small_index.IndexSettings("model", D, "float32")
    small_index.write_index(tmp_path / "i", lambda done: parts, settings, "digest")
    write_parquet(open_index(tmp_path / "i"), tmp_path / "x.parquet")
    [[first, second]] = rows.batches(rows.open_parquet(tmp_path / "x.parquet"))
    assert {*first} == {"id", "product_id", "vector", "title", "tags"}
    assert {*second} == {"id", "product_id", "vector"} and first["tags"] == ["a"]


def test_schemas_name_the_columns_and_the_size_of_vectors(parquet):
    size, columns = rows.components(parquet), {*parquet.schema_arrow.names}
    milvus = rows.filled_json("milvus_collection.json", COMPONENTS=size)
    fields = {field["name"]: field for field in milvus["schema"]["fields"]}
    assert fields.keys() <= columns and fields["vector"]["params"] == {"dim": D + 1}
    assert milvus["index"]["metric_type"] == "IP" and milvus["schema"]["enable_dynamic_field"]
    qdrant = rows.filled_json("qdrant_collection.json", COMPONENTS=size)
    assert qdrant["collection"]["vectors"]["size"] == D + 1
    assert qdrant["payload_index"]["field_name"] in columns
    elasticsearch = rows.filled_json("elasticsearch_index.json", COMPONENTS=size)
    properties = elasticsearch["mappings"]["properties"]
    assert properties.keys() <= columns | {"title", "text"}
    assert properties["vector"]["dims"] == D + 1
    assert properties["vector"]["similarity"] == "max_inner_product"


def test_elasticsearch_is_asked_for_the_vector_and_no_negative_score():
    query = rows.asked(small_index.unit_vectors(1)[0])
    exact = rows.filled_json("elasticsearch_query.json", COUNT=5, QUERY=query)
    graph = rows.filled_json("elasticsearch_knn_query.json", COUNT=5, QUERY=query)
    script = exact["query"]["script_score"]["script"]
    assert script["params"]["query"] == graph["knn"]["query_vector"] == query
    assert script["source"] == f"dotProduct(params.query, 'vector') + {elastic.NOT_NEGATIVE}"
    assert exact["size"] == graph["size"] == 5
    assert exact["collapse"] == graph["collapse"] == {"field": "product_id"}


def test_vespa_s_model_is_given_what_the_export_takes():
    text = rows.filled(vespa.SCHEMA)
    signature = prepared_signatures(ModelGraph(tiny(**COMPARES), 0))[vespa.MODEL]
    given = dict(re.findall(r"input (\w+): (.+)", text))
    assert [*given] == [spec.name for spec in signature.inputs]
    fields = {*re.findall(r"field (\w+) type", text)}
    functions = {*re.findall(r"function (\w+)\(", text)}
    assert {*re.findall(r"attribute\((\w+)\)", text)} <= fields
    assert {value for value in given.values() if "(" not in value} == functions
    assert text.count("{") == text.count("}")
    query = rows.filled_json("vespa/query.json", COUNT=5)
    asked = {*re.findall(r"(?<= )query\(\w+\) ", text)} - {"query(query) * "}
    assert {f"input.{name.strip()}" for name in asked} == {k for k in query if "input" in k}
    assert query["ranking"] in re.findall(r"rank-profile (\w+)", text)
    services = ElementTree.parse(rows.FOLDER / "vespa" / "services.xml")
    assert [found.get("type") for found in services.iter("document")] == ["product"]


def test_vespa_is_fed_tensors_of_the_schema_s_sizes(index, parquet, tmp_path):
    found = vespa.documents(parquet, Photos(), Model(tmp_path))
    count, shape = vespa.write_feed(tmp_path / "feed.jsonl", found)
    vespa.write_application(tmp_path / "application", parquet, Model(tmp_path), shape)
    assert (count, shape) == (23, (VIEWS, PATCHES, SIZE))
    schema = (tmp_path / "application/schemas/product.sd").read_text()
    assert "$" not in schema and (tmp_path / "application/files/match_from_features.onnx").exists()
    types = dict(re.findall(r"field (\w+) type tensor<float>\((.+)\)", schema))
    sizes = {name: np.prod([*map(int, re.findall(r"\[(\d+)]", of))]) for name, of in types.items()}
    put = json.loads((tmp_path / "feed.jsonl").read_text().splitlines()[7])
    image = index.items[7]["image_id"]
    assert put["put"] == f"id:shop:product::{image}"
    features, _ = Photos().read(image)
    in_hex = bytes.fromhex(put["fields"]["patch_features"]["values"])
    np.testing.assert_array_equal(np.frombuffer(in_hex, ">f4"), features.ravel())
    assert sizes.pop("patch_features") * 4 == len(in_hex)
    assert sizes == {name: len(put["fields"][name]["values"]) for name in sizes}
    hubness = features.astype(np.float32).mean(axis=(1, 2))
    np.testing.assert_allclose(put["fields"]["photo_match_hubness"]["values"], hubness)
    assert "colour" not in put["fields"]  # the schema does not name it


def test_photos_in_other_numbers_of_views_are_refused(index, parquet, tmp_path):
    photos = Photos(lambda image: 1 if image == index.items[5]["image_id"] else VIEWS)
    found = vespa.documents(parquet, photos, Model(tmp_path))
    with pytest.raises(InputError, match="--records must show .* in 1, others in 2"):
        vespa.write_feed(tmp_path / "feed.jsonl", found)


class Store:
    """A store that keeps what it is given."""

    def connect(self, url):
        return [url]

    def create(self, client, components):
        client.append(components)

    def add(self, client, batch):
        client.extend(batch)


def test_a_store_s_collection_is_made_and_filled(parquet, tmp_path, monkeypatch):
    monkeypatch.setitem(stores.STORES, "qdrant", Store())
    held, count = stores.fill("qdrant", "here", tmp_path / "x.parquet")
    assert held[:2] == ["here", D + 1] and len(held) == 2 + count == 2 + 23


def test_a_store_that_refuses_is_named(parquet, tmp_path, monkeypatch):
    monkeypatch.setitem(stores.STORES, "qdrant", None)
    with pytest.raises(InputError, match="--url must be of a qdrant that has no `products` yet"):
        stores.fill("qdrant", "here", tmp_path / "x.parquet")


def test_what_cannot_be_used_is_said(tmp_path):
    with pytest.raises(InputError, match="pip install nothing"):
        rows.client_library("no_such_client", "nothing")
    pq.write_table(rows.pa.table({"id": ["A"]}), tmp_path / "other.parquet")
    for name in ("other.parquet", "missing.parquet"):
        with pytest.raises(InputError, match="--parquet must be an index's embeddings.parquet"):
            rows.open_parquet(tmp_path / name)
    signatures = {"text_from_ids": {}, "match_from_features": {}}
    (tmp_path / "signatures.json").write_text(json.dumps({"signatures": signatures}))
    with pytest.raises(InputError, match="--exported must be .* that compares words"):
        exported.Exported(tmp_path)
