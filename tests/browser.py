"""A real browser without a window, driven over its debugging pipe: what it makes of a page.

The pipe is two file descriptors (3 and 4 of the browser) with JSON messages that end in a zero
byte, so nothing but the browser itself is needed.
"""

import base64
import contextlib
import dataclasses
import json
import os
import select
import shutil
import subprocess
import time

NAMES = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 60
# Every text that is seen, with the contrast to what it stands on; shades are laid over each other.
CONTRASTS = """
(() => {
  const parse = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  const over = (top, below) => [0, 1, 2].map((n) => top[n] * top[3] + below[n] * (1 - top[3]));
  const light = (c) => {
    const [r, g, b] = c.map((v) => v / 255).map(
      (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    const below = element.parentElement ? ground(element.parentElement) : [255, 255, 255];
    return over(parse(getComputedStyle(element).backgroundColor), below);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), element = walker.currentNode.parentElement;
    if (!text || !element.checkVisibility()) continue;
    const style = getComputedStyle(element), below = ground(element);
    const colour = element instanceof SVGElement ? style.fill : style.color;
    const lights = [light(over(parse(colour), below)), light(below)].sort((a, b) => b - a);
    found.push([(lights[0] + 0.05) / (lights[1] + 0.05), text.slice(0, 40)]);
  }
  return found.sort((a, b) => a[0] - b[0]);
})()
"""


@dataclasses.dataclass(frozen=True)
class Seen:
    """What a browser made of a page. `messages`: of the console, errors and violations of the
    page's policy. `requests`: addresses that were asked for, the page's own left out. `widths`: of
    the page and of the window. `contrasts`: (contrast, text), the lowest first. `alts`: of all
    images. `broken`: images that could not be shown. `background`: of the page. `png`: its picture.
    """

    messages: list[str]
    requests: list[str]
    widths: tuple[int, int]
    contrasts: list[tuple[float, str]]
    alts: list[str | None]
    broken: int
    background: str
    png: bytes


def find_browser():
    """Path of a browser; None where none is installed."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def look_at(page, profile, screens, whole=False) -> list[Seen]:
    """Opens a file on each screen: width, height, and colour scheme (light or dark).

    Args: profile: an empty folder for what the browser keeps. whole: pictures of the whole page,
      which take seconds, and not of its beginning.
    """
    with opened(profile) as browser:
        return [_looked_at(browser, page.absolute().as_uri(), screen, whole) for screen in screens]


def _looked_at(browser, address, screen, whole):
    with browser.tab(*screen) as tab:
        tab.go(address)
        tab.value("document.querySelectorAll('details').forEach((each) => (each.open = true))")
        return tab.seen(whole)


@contextlib.contextmanager
def opened(profile):
    """A browser, to open tabs in. Args: as `look_at`."""
    with _Pipe(find_browser(), profile) as pipe:
        yield Browser(pipe)


class Browser:
    """An open browser."""

    def __init__(self, pipe):
        self._pipe = pipe

    @contextlib.contextmanager
    def tab(self, width, height, scheme):
        """A page on a screen of this size and colour scheme."""
        self._pipe.events.clear()
        target = self._pipe.ask("Target.createTarget", {"url": "about:blank"})["targetId"]
        given = {"targetId": target, "flatten": True}
        tab = Tab(self._pipe, self._pipe.ask("Target.attachToTarget", given)["sessionId"])
        for domain in ("Page", "Runtime", "Log", "Network"):
            tab.ask(f"{domain}.enable")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        tab.ask("Emulation.setDeviceMetricsOverride", **size)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        tab.ask("Emulation.setEmulatedMedia", features=[feature])
        yield tab
        self._pipe.ask("Target.closeTarget", {"targetId": target})


class Tab:
    """An open page; `address` as `go` was told."""

    def __init__(self, pipe, session):
        self._pipe, self._session, self.address = pipe, session, None

    def ask(self, method, **parameters):
        return self._pipe.ask(method, parameters, self._session)

    def go(self, address):
        self.address, loaded = address, "Page.loadEventFired"
        self._pipe.events[:] = [e for e in self._pipe.events if e["method"] != loaded]
        self.ask("Page.navigate", url=address)
        self._pipe.wait_for(loaded)

    def value(self, expression):
        """What JavaScript makes of an expression; a promise is waited for."""
        told = self.ask(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def wait_until(self, expression):
        end = time.monotonic() + SECONDS
        while not self.value(f"Boolean({expression})"):
            assert time.monotonic() < end, f"never came true: {expression}"
            time.sleep(0.02)

    def press(self, key, code, **more):
        """A key, as from a keyboard."""
        given = {"key": key, "windowsVirtualKeyCode": code, **more}
        self.ask("Input.dispatchKeyEvent", type="keyDown", **given)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **given)

    def seen(self, whole=False):
        shot = self.ask("Page.captureScreenshot", captureBeyondViewport=whole)
        events, requests = self._pipe.events, self._pipe.requests()
        return Seen(
            [json.dumps(each) for each in events if each["method"] in _SPOKEN],
            [url for url in requests if url != self.address and not url.startswith("data:")],
            (self.value("document.documentElement.scrollWidth"), self.value("window.innerWidth")),
            [tuple(pair) for pair in self.value(CONTRASTS)],
            self.value("[...document.images].map((image) => image.getAttribute('alt'))"),
            self.value("[...document.images].filter((image) => !image.naturalWidth).length"),
            self.value("getComputedStyle(document.body).backgroundColor"),
            base64.b64decode(shot["data"]),
        )


_SPOKEN = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")


class _Pipe:
    """A browser with a profile of its own, and the messages to and from it."""

    def __init__(self, browser, folder):
        self.events, self._number, self._rest = [], 0, b""
        read, self._write = os.pipe()
        self._read, write = os.pipe()
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
        options += ["--disable-background-networking", "--disable-component-update"]
        options += ["--disable-dev-shm-usage", f"--user-data-dir={folder}"]
        shell = f'exec "$0" "$@" 3<&{read} 4>&{write}'
        self._process = subprocess.Popen(
            ["bash", "-c", shell, browser, "--remote-debugging-pipe", *options],
            pass_fds=(read, write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read)
        os.close(write)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._send("Browser.close", {}, None)
        try:
            self._process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._read)
        os.close(self._write)

    def ask(self, method, parameters=None, session=None):
        """The result of a command; events that come in between are kept."""
        number = self._send(method, parameters or {}, session)
        while True:
            message = self._message()
            if message.get("id") == number:
                assert "error" not in message, f"{method}: {message}"
                return message["result"]

    def wait_for(self, event):
        while not any(each["method"] == event for each in self.events):
            self._message()

    def requests(self):
        """Addresses that the page asked for."""
        sent = [e for e in self.events if e["method"] == "Network.requestWillBeSent"]
        return [each["params"]["request"]["url"] for each in sent]

    def _send(self, method, parameters, session):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        return self._number

    def _message(self):
        end = time.monotonic() + SECONDS
        while b"\0" not in self._rest:
            ready = select.select([self._read], [], [], max(0, end - time.monotonic()))[0]
            part = os.read(self._read, 1 << 20) if ready else b""
            assert part, "the browser does not answer"
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\0")
        message = json.loads(line)
        if "method" in message:
            self.events.append(message)
        return message
