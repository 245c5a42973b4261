"""Every endpoint of the page, asked as a browser or a program asks it, rightly and wrongly."""

import io
import threading
import urllib.parse
import zlib

import jsonschema
import numpy as np
import pytest
from PIL import Image

from kaleido_tf.serving.page_server import limits
from kaleido_tf.serving.page_server.routes import Routes
from kaleido_tf.serving.page_server.turns import Turns
from tests.page_servers import ask, ask_json, drawn_shop, running, shop_routes


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(shop_routes(tmp_path_factory.mktemp("shop")).find) as server:
        yield server


@pytest.fixture(scope="module")
def schema(server):
    status, content = ask_json(server, "/api/schema")
    assert status == 200 and content["openapi"] == "3.1.0"
    return content


@pytest.fixture
def searcher(tmp_path):
    return drawn_shop(tmp_path)[1]


def checked(schema, name, answer):
    """The content of an answer, which is as the schema says."""
    status, content = answer
    assert status == (400 if name == "Error" else 200), content
    one = {"$ref": f"#/components/schemas/{name}", "components": schema["components"]}
    jsonschema.Draft202012Validator(one).validate(content)
    return content


def search(server, body=None, **parameters):
    method = "POST" if body is not None else "GET"
    return ask_json(server, f"/api/search?{urllib.parse.urlencode(parameters)}", method, body)


def photo_of(colour, size=(20, 30), kind="PNG"):
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, kind)
    return stream.getvalue()


def products(content):
    return [each["product_id"] for each in content["found"]]


def test_words_find_products_with_their_probabilities(server, schema):
    content = checked(schema, "Search", search(server, text=" a red thing ", top=3))
    assert content["query"]["text"] == "a red thing" and content["count"] == 3
    best = content["found"][0]
    assert best["product_id"] == "P0" and best["image_id"] == "P0_1" and best["has_photo"]
    assert best["fields"]["title"] == "red thing" and best["fields"]["category"] == "things"
    scores = [each["score"] for each in content["found"]]
    assert scores == sorted(scores, reverse=True) and 0 < best["probability"] < 1
    assert len(products(search(server, text="red", top=limits.TOP)[1])) == 7


def test_a_photo_finds_products_with_words_or_without(server, schema):
    for kind in ("PNG", "JPEG", "WEBP"):
        found = search(server, photo_of("blue", kind=kind), top=1)
        content = checked(schema, "Search", found)
        assert products(content) == ["P2"] and content["query"]["photo"] is True
        assert content["found"][0]["probability"] is None
    content = checked(schema, "Search", search(server, photo_of("blue"), text="blue", top=1))
    assert products(content) == ["P2"] and content["found"][0]["probability"] > 0


def test_a_product_finds_others(server, schema):
    content = checked(schema, "Search", search(server, like="P2"))
    assert content["liked"]["fields"]["title"] == "blue thing"
    assert "P2" not in products(content) and content["count"] == 6


def test_filters_and_least_probability_leave_out(server, schema):
    content = checked(schema, "Search", search(server, text="thing", filter="subcategory=odd"))
    assert set(products(content)) == {"P1", "P3", "P5"}
    content = checked(schema, "Search", search(server, text="qqq", min_probability=0.99))
    assert content["count"] == 0 and content["found"] == []


def test_words_that_speak_for_a_photo_are_told(server, schema):
    answer = ask_json(server, "/api/words?text=a+Red%20coat&image_id=P0_1")
    words = checked(schema, "Words", answer)["words"]
    assert [each["word"] for each in words] == ["a", "red", "coat"]
    assert words[1]["weight"] > words[2]["weight"]


def test_fields_of_few_values_are_offered_with_their_counts(server, schema):
    content = checked(schema, "Fields", ask_json(server, "/api/fields"))
    assert (content["products"], content["photos"]) == (7, 8)
    assert [field["name"] for field in content["fields"]] == ["subcategory"]
    assert content["fields"][0]["values"] == [
        {"value": "even", "filter": "subcategory=even", "products": 4},
        {"value": "odd", "filter": "subcategory=odd", "products": 3},
    ]
    assert content["limits"]["photo_bytes"] == limits.PHOTO_BYTES
    for value in content["fields"][0]["values"]:
        found = search(server, text="thing", filter=value["filter"])[1]
        assert found["count"] == value["products"]


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({}, "Words, a photo, or a product"),
        ({"text": " \t "}, "Words, a photo, or a product"),
        ({"text": "x" * (limits.TEXT + 1)}, "at most 500 characters"),
        ({"like": "P2", "text": "red"}, "asked alone"),
        ({"like": "P99"}, "a product of the index"),
        ({"text": "red", "filter": "season=summer"}, "have the fields"),
        ({"text": "red", "filter": "subcategory=none"}, "There are even, odd"),
        ({"text": "red", "filter": "=,="}, "A filter is needed"),
        ({"text": "red", "top": "0"}, "top: a whole number from 1"),
        ({"text": "red", "top": "-1"}, "top: a whole number from 1"),
        ({"text": "red", "top": "9" * 5000}, "top: a whole number from 1"),
        ({"text": "red", "rerank": "many"}, "rerank: a whole number from 0"),
        ({"text": "red", "min_probability": "nan"}, "a number from 0 to 1"),
        ({"like": "P2", "min_probability": "0.5"}, "min_probability: words are needed"),
        ({"text": "red", "colour": "red"}, "Parameters are text, like"),
    ],
)
def test_what_cannot_be_answered_is_told(server, schema, parameters, message):
    assert message in checked(schema, "Error", search(server, **parameters))["error"]


@pytest.mark.parametrize(
    "query", ["text=a&text=b", "text=%ff", "&".join(f"a{n}=" for n in range(30))]
)
def test_parameters_that_are_none_are_told(server, schema, query):
    checked(schema, "Error", ask_json(server, f"/api/search?{query}"))


def bomb(side):
    """A PNG of a few bytes whose header says `side` x `side` pixels."""
    photo = bytearray(photo_of("red"))
    photo[16:24] = side.to_bytes(4, "big") * 2
    photo[29:33] = zlib.crc32(photo[12:29]).to_bytes(4, "big")
    return bytes(photo)


BAD_PHOTOS = {
    "text": (b"<html>no photo</html>", "Needed: an image"),
    "drawing": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "Needed: an image"),
    "half": (photo_of("red")[:60], "whole PNG image"),
    "large": (bomb(6000), "36000000 pixels (by its header)"),
    "huge": (bomb(60_000), "an image of a sane size"),
}


@pytest.mark.parametrize("body, message", BAD_PHOTOS.values(), ids=BAD_PHOTOS)
def test_a_photo_that_is_none_is_told(server, schema, body, message):
    assert message in checked(schema, "Error", search(server, body))["error"]


def test_a_photo_of_too_many_bytes_is_not_read(server):
    status, answer = ask_json(server, "/api/search", "POST", bytes(limits.PHOTO_BYTES + 1))
    assert status == 413 and str(limits.PHOTO_BYTES) in answer["error"]


def test_methods_and_addresses_that_are_not_there(server):
    assert ask_json(server, "/api/nothing")[0] == 404
    assert ask_json(server, "/api/%ff")[0] == 400
    for method, target in (("POST", "/api/fields"), ("PUT", "/api/search"), ("DELETE", "/")):
        status, headers, _ = ask(server, target, method)
        assert status == 405 and "GET" in headers["Allow"]
    assert "POST" in ask(server, "/api/search", "OPTIONS")[1]["Allow"]


def test_the_page_and_its_parts_are_served(server):
    kinds = {"/": "html", "/page.css": "css", "/page.js": "script", "/icon.svg": "svg"}
    kinds |= {"/product.js": "script", "/server.js": "script"}
    pages = {}
    for target, kind in kinds.items():
        status, headers, content = ask(server, target)
        assert status == 200 and kind in headers["Content-Type"]
        pages[target] = content.decode()
    assert "style=" not in pages["/"] and "<script>" not in pages["/"]
    del pages["/icon.svg"]  # whose namespace is an address
    assert not any("http:" in content or "https:" in content for content in pages.values())


def test_an_index_that_can_less_says_so(searcher):
    searcher.has_probabilities = searcher.takes_photos = searcher.tells_words = False
    with running(Routes(searcher, None).find) as server:
        facts = ask_json(server, "/api/fields")[1]
        names = ("shows_photos", "takes_photos", "tells_words", "has_probabilities")
        assert not any(facts[name] for name in names)
        assert "with a photo" in search(server, photo_of("red"))[1]["error"]
        assert "none" in search(server, text="red", min_probability=0.5)[1]["error"]
        words = ask_json(server, "/api/words?text=red&image_id=P0_1")
        assert words[0] == 400 and "does not compare words" in words[1]["error"]
        assert search(server, text="red")[1]["found"][0]["has_photo"] is False
        status, answer = ask_json(server, "/photo/P0_1")
        assert status == 404 and "without a catalogue" in answer["error"]


def test_a_slow_search_holds_up_searches_alone(searcher, monkeypatch):
    begun, end, find = threading.Event(), threading.Event(), searcher.find
    working, most = [], []

    def slow(query):
        working.append(query)
        most.append(len(working))
        begun.set()
        end.wait(20)
        working.pop()
        return find(query)

    monkeypatch.setattr(searcher, "find", slow)
    with running(Routes(searcher, None).find) as server:
        answers = []
        clients = [
            threading.Thread(target=lambda: answers.append(search(server, text="red")))
            for _ in range(5)
        ]
        for client in clients:
            client.start()
        assert begun.wait(20)
        assert ask_json(server, "/api/fields")[0] == 200 and ask(server, "/")[0] == 200
        end.set()
        for client in clients:
            client.join()
    assert [status for status, _ in answers] == [200] * 5 and max(most) == 1


def test_who_waits_too_long_for_a_turn_is_told(searcher, monkeypatch):
    routes = Routes(searcher, None)
    api = routes.find("GET", "/api/search")[0].answer.__self__
    monkeypatch.setattr(api, "_turns", Turns(1, 0.05))
    with running(routes.find) as server, api._turns.turn():
        status, headers, _ = ask(server, "/api/search?text=red")
        assert status == 503 and headers["Retry-After"]


def test_answers_that_are_no_json_are_an_error_of_one_request(searcher, monkeypatch, caplog):
    monkeypatch.setattr(
        searcher, "speaking_words", lambda text, image_id: [("red", np.float32("nan"))]
    )
    with running(Routes(searcher, None).find) as server:
        assert ask_json(server, "/api/words?text=red&image_id=P0_1")[0] == 500
        assert search(server, text="red")[0] == 200
    assert "failed" in caplog.text
