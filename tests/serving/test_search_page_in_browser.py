"""The search page used in a real browser, where one is installed: by keyboard, with words, a photo
and "more like this", on a phone and a desk, in light and dark.
"""

import warnings

import pytest

from tests import browser
from tests.page_servers import running, shop_routes

SCREENS = [(390, 844, "light"), (1280, 900, "dark")]
ENTER, TAB = ("Enter", 13), ("Tab", 9)
SETTLED = """
  !document.querySelector("[aria-busy]")
    && document.getElementById("status").innerText + document.getElementById("problem").innerText
    && [...document.images].every((image) => image.complete || image.loading === "lazy")
"""
DROP = """
fetch("/photo/P2_1").then((answer) => answer.blob()).then((blob) => {
  const data = new DataTransfer();
  data.items.add(new File([blob], "mine.jpg", { type: "image/jpeg" }));
  document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
})
"""
UNNAMED = """
[...document.querySelectorAll("button, input, select, img")].filter((element) =>
  !(element.alt || element.labels?.length || element.textContent.trim())).length
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(shop_routes(tmp_path_factory.mktemp("shop")).find) as server:
        yield server


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    """None, with a warning, where none is installed."""
    if browser.find_browser() is None:
        names = ", ".join(browser.NAMES)
        warnings.warn(f"No page was used: no browser ({names}) is installed", stacklevel=2)
        yield None
        return
    with browser.opened(tmp_path_factory.mktemp("profile")) as chromium:
        yield chromium


def text_of(tab, selector):
    return tab.value(f"document.querySelector({selector!r}).innerText")


def titles(tab):
    tab.wait_until(SETTLED)
    return tab.value("[...document.querySelectorAll('h3')].map((title) => title.innerText)")


def is_well(tab, server, width):
    """Nothing was complained of or asked of others, all fits, can be read and has a name."""
    seen = tab.seen()
    assert seen.messages == []
    assert all(url.startswith((server.address, "blob:")) for url in seen.requests)
    assert seen.widths[0] <= seen.widths[1] == width
    assert all(seen.alts) and tab.value(UNNAMED) == 0
    assert seen.contrasts[0][0] >= 4.5, seen.contrasts[:3]
    ids = "[...document.querySelectorAll('[id]')].map((each) => each.id)"
    assert tab.value(f"new Set({ids}).size === {ids}.length")


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen[2])
def test_page_is_used_if_a_browser_is_installed(server, chromium, screen):
    if chromium is None:
        return
    with chromium.tab(*screen) as tab:
        tab.go(server.address)
        assert titles(tab) == [] and text_of(tab, "#facts") == "7 products, 8 photos"
        is_well(tab, server, screen[0])

        # Words, typed and sent by keyboard; the address keeps them.
        tab.value("document.getElementById('text').focus()")
        tab.ask("Input.insertText", text="a green thing")
        tab.press(*ENTER, text="\r")
        tab.wait_until("document.querySelector('article')")
        assert titles(tab)[0] == "green thing" and text_of(tab, "#status").startswith("7 products")
        assert "% match" in text_of(tab, "article .match")
        tab.value("document.querySelector('.why').click()")
        tab.wait_until("document.querySelectorAll('.words li').length === 3")
        is_well(tab, server, screen[0])

        # More like the first; back again.
        tab.value("document.querySelector('.like').focus()")
        tab.press(*ENTER, text="\r")
        tab.wait_until("location.search === '?like=P1'")
        assert "green thing" not in titles(tab)
        assert text_of(tab, "#sought-name") == "Like “green thing”"
        assert tab.value("document.activeElement.id") == "results"
        is_well(tab, server, screen[0])
        tab.value("history.back()")
        tab.wait_until("location.search === '?text=a+green+thing'")
        assert titles(tab)[0] == "green thing"

        # A filter, by its select.
        tab.value("document.getElementById('filters').open = true")
        choose = "document.querySelector('select[data-name=subcategory]')"
        tab.value(f"{choose}.value = 'even', {choose}.dispatchEvent(new Event('change'))")
        tab.wait_until("location.search.endsWith('where.subcategory=even')")
        assert set(titles(tab)) == {"red thing", "blue thing", "orange thing", "grey thing"}
        is_well(tab, server, screen[0])

        # A photo is dropped, and taken away again.
        tab.go(server.address)
        titles(tab)
        tab.value(DROP)
        tab.wait_until("document.querySelector('article')")
        assert titles(tab)[0] == "blue thing" and text_of(tab, "#sought-name") == "mine.jpg"
        is_well(tab, server, screen[0])
        tab.value("document.getElementById('sought-remove').click()")
        tab.wait_until("document.getElementById('sought').hidden")
        assert titles(tab) == []


def test_what_is_wrong_is_said_in_its_place_if_a_browser_is_installed(server, chromium):
    if chromium is None:
        return
    with chromium.tab(*SCREENS[0]) as tab:
        tab.go(f"{server.address}?text=red&where.season=summer")
        assert titles(tab) == [] and "have the fields" in text_of(tab, "#problem")
        assert tab.value("document.getElementById('problem').getAttribute('role')") == "alert"
        tab.go(f"{server.address}?text=qqq&min_probability=0.99")
        assert titles(tab) == [] and text_of(tab, "#status").startswith("Nothing found: “qqq”")
        tab.go(f"{server.address}?text=<img src=x onerror=alert(1)>")
        assert len(titles(tab)) == 7 and tab.value("document.images.length") == 7
        tab.press(*TAB)
        assert tab.value("document.activeElement.className") == "skip"
