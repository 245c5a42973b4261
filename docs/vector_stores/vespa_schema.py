"""The schema of `vespa/schemas/product.sd`, said with Vespa's Python client, to hold the file
against what it writes.
"""

from docs.vector_stores.rows import client_library

PATH = "vespa/schemas/product.sd"
TEXTS = {"id": "attribute", "product_id": "attribute", "title": "index", "text": "index"}
TEXTS |= {"category": "attribute", "subcategory": "attribute"}
VIEWS = "d0[$VIEWS]"


def rendered() -> str:
    """The file's text, by pyvespa."""
    vespa = client_library("vespa.package", "pyvespa")
    fields = [vespa.Field(name, "string", ["summary", kind]) for name, kind in TEXTS.items()]
    fields += _tensors(vespa)
    profiles, models = [_vectors(vespa), _reranked(vespa)], [_model(vespa)]
    document = vespa.Document(fields)
    schema = vespa.Schema("product", document, rank_profiles=profiles, models=models)
    return schema.schema_to_text


def _tensors(vespa) -> list:
    floats = {
        "patch_features": (f"{VIEWS},d1[$PATCHES],d2[$FEATURE_SIZE]", ["paged"]),
        "patch_boxes": (f"{VIEWS},d1[$PATCHES],d2[5]", None),
        "photo_match_hubness": (VIEWS, None),
    }
    graph = vespa.HNSW("dotproduct", max_links_per_node=16, neighbors_to_explore_at_insert=200)
    return [
        vespa.Field("vector", "tensor<float>(x[$COMPONENTS])", ["attribute", "index"], ann=graph),
        *(
            vespa.Field(name, f"tensor<float>({shape})", ["attribute"], attribute=attribute)
            for name, (shape, attribute) in floats.items()
        ),
    ]


def _model(vespa):
    inputs = {
        "token_ids": "token_ids_of_views",
        "patch_features": "attribute(patch_features)",
        "patch_boxes": "attribute(patch_boxes)",
        "match_hubness": "match_hubness_of_views",
    }
    name = "match_from_features"
    return vespa.OnnxModel(name, f"{name}.onnx", inputs, {"score": "score"})


def _vectors(vespa):
    return vespa.RankProfile(
        "vectors",
        "sum(query(query) * attribute(vector))",
        inputs=[("query(query)", "tensor<float>(x[$COMPONENTS])")],
    )


def _reranked(vespa):
    return vespa.RankProfile(
        "reranked",
        inherits="vectors",
        inputs=[
            ("query(token_ids)", "tensor<float>(d1[$TEXT_LENGTH])"),
            ("query(text_match_hubness)", "double"),
        ],
        functions=[
            vespa.Function("token_ids_of_views", f"query(token_ids) * tensor<float>({VIEWS})(1)"),
            vespa.Function(
                "match_hubness_of_views",
                "attribute(photo_match_hubness) + query(text_match_hubness)",
            ),
        ],
        second_phase=vespa.SecondPhaseRanking(
            "reduce(onnx(match_from_features).score, avg)", rerank_count=50
        ),
    )
