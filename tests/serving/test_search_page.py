"""The command that serves the page: begun, asked, ended, and begun wrongly."""

import signal
import urllib.request

from kaleido_tf.search.manifest import MANIFEST, WRITING
from kaleido_tf.serving.page_server.http_server import PageServer
from tests import drawn_catalogue
from tests.end_to_end.commands import ROOT, SECONDS, start

COMMAND = ROOT / "tests" / "drawn_search_page.py"


def begin(folder, port):
    flags = ("--index=index", "--catalogue=shop/products.jsonl", f"--port={port}")
    return start(COMMAND, *flags, cwd=folder)


def ended(process):
    return process.communicate(timeout=SECONDS)[0], process.returncode


def test_it_says_where_it_is_and_ends_when_it_is_told(tmp_path):
    drawn_catalogue.write_catalogue(tmp_path / "shop")
    process = begin(tmp_path, 0)
    address = process.stdout.readline().strip()
    assert address.startswith("http://127.0.0.1:")
    with urllib.request.urlopen(f"{address}api/search?text=red", timeout=SECONDS) as answer:
        assert b'"P0"' in answer.read()
    process.send_signal(signal.SIGINT)
    assert ended(process) == ("\n", 0)


def test_what_is_wrong_is_one_message(tmp_path):
    drawn_catalogue.write_catalogue(tmp_path / "shop")
    with PageServer(0) as other:
        taken = other.server_address[1]
        processes = [begin(tmp_path, taken)]
        (tmp_path / "index").mkdir()
        (tmp_path / "index" / WRITING).write_text("{}")
        processes.append(begin(tmp_path, 0))
        messages = [ended(process) for process in processes]
    port = f"error: --port: a free port is needed. Received: {taken}, which another program uses\n"
    assert messages[0] == (port, 1)
    assert messages[1][0].startswith("error: The index index is not finished.")
    assert messages[1][1] == 1 and MANIFEST not in messages[1][0]
