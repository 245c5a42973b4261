"""Loads a search page that is running: so many clients at once, each of which searches in words,
then fetches the photos that were found, over one connection, again and again.

    python -m benchmarks.page_load --url=http://127.0.0.1:8080/ --parallel=50 --seconds=60

Prints for searches and for photos how many were answered, how many went wrong, and how long they
took. Ends with status 1 if any went wrong. Clients and server share the machine's cores.
"""

import http.client
import json
import random
import threading
import time
import urllib.parse

import numpy as np
from absl import flags

from kaleido_tf.command import run_command
from kaleido_tf.errors import InputError

flags.DEFINE_string("url", "http://127.0.0.1:8080/", "Where the page is, as its command printed.")
flags.DEFINE_integer("parallel", 50, "Clients at once.", lower_bound=1)
flags.DEFINE_float("seconds", 60, "How long.", lower_bound=0)
flags.DEFINE_integer("photos", 4, "Photos that are fetched after a search.", lower_bound=0)
flags.DEFINE_list(
    "texts",
    "a long red dress,black boots,a striped sweater,blue jeans,a small bag,a checked shirt",
    "What is sought.",
)
FLAGS = flags.FLAGS
TIMEOUT = 60


class Client:
    """A connection. Attributes: `seconds` {search or photo: of each answer}; `errors` in words."""

    def __init__(self, host: str, seed: int):
        self._host, self._draw, self._connection = host, random.Random(seed), None
        self.seconds: dict[str, list[float]] = {"search": [], "photo": []}
        self.errors: list[str] = []

    def run(self, end: float) -> None:
        """Searches and fetches until a point in time."""
        while time.monotonic() < end:
            asked = urllib.parse.urlencode({"text": self._draw.choice(FLAGS.texts)})
            content = self._ask("search", f"/api/search?{asked}")
            found = json.loads(content)["found"] if content else []
            for product in [each for each in found if each["has_photo"]][: FLAGS.photos]:
                self._ask("photo", f"/photo/{urllib.parse.quote(product['image_id'])}?size=480")

    def _ask(self, kind: str, target: str) -> bytes | None:
        """The content; None, and an error more, where there is none."""
        start = time.monotonic()
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection(self._host, timeout=TIMEOUT)
            self._connection.request("GET", target)
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.errors.append(f"{target}: {error!r}")
            self._connection = None
            return None
        if answer.status != 200:
            self.errors.append(f"{target}: status {answer.status}")
            return None
        self.seconds[kind].append(time.monotonic() - start)
        return content


def loaded(host: str) -> tuple[list[Client], float]:
    """The clients after their work, and how long it took."""
    clients = [Client(host, seed) for seed in range(FLAGS.parallel)]
    start = time.monotonic()
    threads = [threading.Thread(target=c.run, args=(start + FLAGS.seconds,)) for c in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return clients, time.monotonic() - start


def row(kind: str, clients: list[Client], seconds: float) -> str:
    """A line of the table."""
    taken = 1000 * np.array([each for client in clients for each in client.seconds[kind]] or [0.0])
    count = sum(len(client.seconds[kind]) for client in clients)
    median, late = np.percentile(taken, [50, 99])
    return f"| {kind} | {count} | {count / seconds:.0f} | {median:.0f} | {late:.0f} |"


def main(_):
    host = urllib.parse.urlsplit(FLAGS.url).netloc
    if not host:
        raise InputError(f"--url: an address (http://...) is needed. Received: {FLAGS.url}")
    clients, seconds = loaded(host)
    print("| | answers | a second | median ms | 99% within ms |\n|---|--:|--:|--:|--:|")
    for kind in ("search", "photo"):
        print(row(kind, clients, seconds))
    errors = [error for client in clients for error in client.errors]
    print(f"{FLAGS.parallel} clients, {seconds:.0f} s, {len(errors)} errors")
    if errors or not clients[0].seconds["search"]:
        raise InputError(f"Every request must be answered. Went wrong: {errors[:3]}")


if __name__ == "__main__":
    run_command(main)
