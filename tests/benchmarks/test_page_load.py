from tests.end_to_end.commands import SECONDS, start
from tests.page_servers import running, shop_routes


def load(url, *more):
    process = start(
        "-m",
        "benchmarks.page_load",
        f"--url={url}",
        "--parallel=3",
        "--seconds=0.3",
        *more,
        cwd=".",
    )
    return process.communicate(timeout=SECONDS)[0], process.returncode


def test_a_page_is_loaded_and_what_goes_wrong_is_counted(tmp_path):
    with running(shop_routes(tmp_path).find) as server:
        output, status = load(server.address, "--texts=red,green thing")
        assert status == 0 and "| search |" in output and "0 s, 0 errors" in output
        output, status = load(server.address, f"--texts={'x' * 501}")
        assert status == 1 and "status 400" in output
    output, status = load(server.address)
    assert status == 1 and "ConnectionRefusedError" in output
