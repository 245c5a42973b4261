"""Photos are those of the catalogue and nothing else, however they are asked for."""

import io
import json
import pathlib

import pytest
from PIL import Image

from kaleido_tf.errors import InputError
from kaleido_tf.search.index_folder import open_index
from kaleido_tf.serving.page_server import pictures as pictures_module
from kaleido_tf.serving.page_server.exchange import Refusal
from kaleido_tf.serving.page_server.pictures import check_shows, open_pictures
from tests import small_index
from tests.page_servers import ask, ask_json, raw, running, shop_routes

SECRET = "a secret that is no photo"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("photos")


@pytest.fixture(scope="module")
def server(folder):
    with running(shop_routes(folder).find) as server:
        (folder / "secret.txt").write_text(SECRET)
        yield server


def size_of(content):
    return Image.open(io.BytesIO(content)).size


def test_a_photo_is_jpeg_of_the_size_that_is_asked(server):
    status, headers, content = ask(server, "/photo/P2_2?size=60")
    assert status == 200 and headers["Content-Type"] == "image/jpeg"
    assert max(size_of(content)) == 60
    assert size_of(ask(server, "/photo/P2_2")[2]) == (92, 120)  # never enlarged
    assert ask(server, "/photo/P2_2", "HEAD")[2] == b""
    for size in ("31", "1601", "big", "1e2"):
        assert ask_json(server, f"/photo/P2_2?size={size}")[0] == 400


@pytest.mark.parametrize(
    "name",
    [
        "P99_1",
        "",
        "../../etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/secret.txt",
        "....//secret.txt",
        "%2Fetc%2Fpasswd",
        "/etc/passwd",
        "..%5c..%5csecret.txt",
        "%252e%252e%252fsecret.txt",
        "P2_2%00.txt",
        "P2_2/../../secret.txt",
        "2_1.png",
        "products.jsonl",
        "file:///etc/passwd",
        "P2_2/",
    ],
)
def test_what_is_no_photo_is_not_there(server, folder, name):
    request = f"GET /photo/{name} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = raw(server, request.encode())
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert SECRET.encode() not in answer and b"root:" not in answer


@pytest.mark.parametrize("target", ["/../../etc/passwd", "/%2e%2e/secret.txt", "//etc/passwd"])
def test_the_page_s_own_files_are_no_folder(server, target):
    request = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert raw(server, request.encode()).startswith(b"HTTP/1.1 404 ")


def catalogue_of(folder, images):
    """Args: images: product id -> name of its photo."""
    lines = [
        {"product_id": name, "image": str(image), "title": name, "category": "things"}
        for name, image in images.items()
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "products.jsonl").write_text(text)
    return str(folder / "products.jsonl")


def test_links_and_paths_out_of_the_catalogue_are_not_followed(tmp_path, caplog):
    shop, outside = tmp_path / "shop", tmp_path / "shop_of_others"
    for place in (shop, outside):
        place.mkdir()
        Image.new("RGB", (40, 50), "red").save(place / "a.png")
    (shop / "link.png").symlink_to(outside / "a.png")
    (shop / "folder").symlink_to(outside)
    (shop / "own.png").symlink_to(shop / "a.png")
    names = {
        "plain": "a.png",
        "own": "own.png",
        "link": "link.png",
        "folder": "folder/a.png",
        "absolute": outside / "a.png",
        "gone": "gone.png",
    }
    pictures = open_pictures(catalogue_of(shop, names))
    for name in ("plain", "own"):
        assert size_of(pictures.jpeg(f"{name}_1", 99)) == (40, 50)
    for name in ("link", "folder", "absolute", "gone"):
        with pytest.raises(Refusal, match="cannot be shown") as refused:
            pictures.jpeg(f"{name}_1", 99)
        assert refused.value.status == 404 and str(tmp_path) not in str(refused.value)
    assert str(outside) in caplog.text


def test_a_file_that_is_no_photo_is_not_shown(tmp_path):
    (tmp_path / "page.png").write_text("<script>alert(1)</script>")
    pictures = open_pictures(catalogue_of(tmp_path, {"a": "page.png"}))
    with pytest.raises(Refusal, match="cannot be shown"):
        pictures.jpeg("a_1", 99)


def test_pictures_are_kept_up_to_a_size(tmp_path, monkeypatch):
    names = {name: f"{name}.png" for name in "abc"}
    for name in names.values():
        Image.new("RGB", (40, 50), "red").save(tmp_path / name)
    pictures = open_pictures(catalogue_of(tmp_path, names))
    one = len(pictures.jpeg("a_1", 99))
    monkeypatch.setattr(pictures_module, "KEPT_BYTES", 2 * one)
    for name in names:
        pictures.jpeg(f"{name}_1", 99)
    for path in pathlib.Path(tmp_path).glob("*.png"):
        path.unlink()
    for name in "bc":
        assert len(pictures.jpeg(f"{name}_1", 99)) == one
    with pytest.raises(Refusal):
        pictures.jpeg("a_1", 99)


def test_a_catalogue_of_other_products_is_refused(tmp_path):
    index = open_index(small_index.write(tmp_path / "index", 4))
    Image.new("RGB", (40, 50), "red").save(tmp_path / "a.png")
    manifest = catalogue_of(tmp_path, {"other": "a.png"})
    with pytest.raises(InputError, match="--catalogue: the catalogue of .* none of its photos"):
        check_shows(open_pictures(manifest), index, manifest)
    check_shows(open_pictures(None), index, None)
