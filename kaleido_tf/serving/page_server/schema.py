"""`GET /api/schema`: the JSON endpoint described in OpenAPI 3.1, for programs that ask it."""

from kaleido_tf.serving.page_server import limits

_TEXT = {"type": "string"}
_NUMBER = {"type": "number"}
_FLAG = {"type": "boolean"}
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_COUNT = {"type": "integer", "minimum": 0}


def _or_null(schema: dict) -> dict:
    return {**schema, "type": [schema["type"], "null"]}


def _object(**properties) -> dict:
    """All of them, and nothing else."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list(of: dict) -> dict:
    return {"type": "array", "items": of}


_PRODUCT = {
    "product_id": _TEXT,
    "image_id": {**_TEXT, "description": "Of its best photo: /photo/{image_id} shows it."},
    "has_photo": {**_FLAG, "description": "Whether the catalogue has that photo."},
    "fields": {
        "type": "object",
        "description": "Title, text, category and all else that the index says of the product.",
        "additionalProperties": {"type": ["string", "number", "boolean", "null", "array"]},
    },
}
_FOUND = _object(
    **_PRODUCT,
    score={**_NUMBER, "description": "The larger the better, within one answer."},
    probability={
        **_or_null(_SHARE),
        "description": "That the product is what the words say; null where it is not known.",
    },
)
_QUERY = _object(
    text=_or_null(_TEXT),
    like=_or_null(_TEXT),
    filter=_or_null(_TEXT),
    top=_or_null(_COUNT),
    rerank=_COUNT,
    min_probability=_SHARE,
    photo=_FLAG,
)
_SCHEMAS = {
    "Search": _object(
        query={**_QUERY, "description": "As it was understood."},
        liked={
            "anyOf": [_object(**_PRODUCT), {"type": "null"}],
            "description": "The product whose likes were sought.",
        },
        count=_COUNT,
        found={**_list(_FOUND), "description": "The best first, each product once."},
        milliseconds={**_NUMBER, "description": "From asking to finding, the queue included."},
    ),
    "Words": _object(
        text=_TEXT,
        image_id=_TEXT,
        words=_list(
            _object(
                word=_TEXT,
                weight={**_NUMBER, "description": "Below 0: it speaks against the photo."},
            )
        ),
    ),
    "Fields": _object(
        products=_COUNT,
        photos=_COUNT,
        shows_photos=_FLAG,
        takes_photos=_FLAG,
        tells_words=_FLAG,
        has_probabilities=_FLAG,
        limits=_object(**dict.fromkeys(limits.as_json(), _COUNT)),
        fields=_list(
            _object(name=_TEXT, values=_list(_object(value=_TEXT, filter=_TEXT, products=_COUNT)))
        ),
    ),
    "Error": _object(error=_TEXT),
}


def _parameter(name: str, description: str, schema: dict, **more) -> dict:
    return {"name": name, "in": "query", "description": description, "schema": schema, **more}


def _text(longest: int) -> dict:
    return {**_TEXT, "maxLength": longest}


_ASKED = [
    _parameter("text", "Words that describe what is sought.", _text(limits.TEXT)),
    _parameter("like", "Id of a product, alone: others like it.", _text(limits.IDENTIFIER)),
    _parameter("filter", "Such as category=Dress,colour=blue|navy.", _text(limits.FILTER)),
    _parameter(
        "top", "Products at most.", {"type": "integer", "minimum": 1, "maximum": limits.TOP}
    ),
    _parameter(
        "rerank",
        "How many of the best the whole model scores again.",
        {"type": "integer", "minimum": 0, "maximum": limits.RERANK, "default": 0},
    ),
    _parameter("min_probability", "Products below it are left out.", {**_SHARE, "default": 0}),
]
_PHOTO = {"type": "string", "contentMediaType": "image/*"}


def _content(name: str) -> dict:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def _operation(summary: str, answer: str, parameters: list[dict], **more) -> dict:
    responses = {
        "200": {"description": "The answer.", "content": _content(answer)},
        "default": {"description": "What is wrong, in words.", "content": _content("Error")},
    }
    return {"summary": summary, "parameters": parameters, **more, "responses": responses}


_BODY = {
    "required": True,
    "description": f"A photo's bytes, at most {limits.PHOTO_BYTES}.",
    "content": {"image/*": {"schema": _PHOTO}},
}
_SIZES = {"type": "integer", "minimum": limits.SMALLEST, "maximum": limits.LARGEST}
_PHOTO_OPERATION = {
    "summary": "A photo of the catalogue.",
    "parameters": [
        {"name": "image_id", "in": "path", "required": True, "schema": _TEXT},
        _parameter("size", "Pixels of its long side at most.", _SIZES),
    ],
    "responses": {
        "200": {"description": "The photo.", "content": {"image/jpeg": {}}},
        "default": {"description": "What is wrong, in words.", "content": _content("Error")},
    },
}
_SPEAKING = [
    _parameter("text", "The words.", _text(limits.TEXT), required=True),
    _parameter("image_id", "The photo.", _text(limits.IDENTIFIER), required=True),
]

SCHEMA = {
    "openapi": "3.1.0",
    "info": {"title": "Search of a catalogue", "version": "1"},
    "paths": {
        "/api/search": {
            "get": _operation("Products for words, or like a product.", "Search", _ASKED),
            "post": _operation(
                "Products for a photo, or for words and a photo.",
                "Search",
                [each for each in _ASKED if each["name"] != "like"],
                requestBody=_BODY,
            ),
        },
        "/api/words": {"get": _operation("Which words speak for a photo.", "Words", _SPEAKING)},
        "/api/fields": {
            "get": _operation("What there is, and what filters can ask for.", "Fields", [])
        },
        "/photo/{image_id}": {"get": _PHOTO_OPERATION},
    },
    "components": {"schemas": _SCHEMAS},
}
