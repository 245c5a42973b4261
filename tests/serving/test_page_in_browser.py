"""The page of results in a real browser, where one is installed: nothing goes wrong, nothing is
asked for, nothing sticks out, and everything can be read.
"""

import warnings

import pytest

from kaleido_tf.serving.catalogue_photos import photos_of
from kaleido_tf.serving.page import report_page
from kaleido_tf.serving.run_results import read_run
from tests import browser
from tests import results_of_runs as results

SCREENS = [(390, 844, "light"), (390, 844, "dark"), (1280, 800, "light"), (1280, 800, "dark")]


def looked_at(page, profile, screens):
    """What a browser sees of a page on each screen; [], with a warning, where none is installed."""
    if browser.find_browser() is None:
        names = ", ".join(browser.NAMES)
        warnings.warn(f"No page was looked at: no browser ({names}) is installed", stacklevel=2)
        return []
    return browser.look_at(page, profile, screens)


def test_page_in_a_browser_if_one_is_installed(tmp_path):
    results.write_everything(tmp_path)
    folders = [tmp_path / "runs" / name for name in ("one", "two")]
    runs, photos = [read_run(folder) for folder in folders], photos_of(str(tmp_path / "shop"))
    (tmp_path / "report.html").write_text(report_page(("one", "two"), runs, photos, 2))
    seen = looked_at(tmp_path / "report.html", tmp_path / "profile", SCREENS)
    for (width, _, scheme), each in zip(SCREENS, seen):
        assert each.messages == [] and each.requests == []
        # The page itself does not scroll sideways.
        assert each.widths[0] <= each.widths[1] == width
        assert len(each.alts) == 22 and all(each.alts) and not each.broken
        assert each.contrasts[0][0] >= 4.5, each.contrasts[:3]
        ground = "rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 28)"
        assert each.background == ground
        assert each.png.startswith(b"\x89PNG")


BAD = "<body style='width:900px;color:#999'>x<img src=none.png><script>console.log(1)</script>"


def test_what_is_wrong_with_a_page_is_seen_if_a_browser_is_installed(tmp_path):
    (tmp_path / "bad.html").write_text(BAD)
    for seen in looked_at(tmp_path / "bad.html", tmp_path / "profile", SCREENS[:1]):
        assert len(seen.messages) == 2  # of the console, and that the image is missing
        assert seen.requests == [(tmp_path / "none.png").as_uri()]
        assert seen.widths[0] > 390 and seen.alts == [None] and seen.broken == 1
        assert seen.contrasts[0][0] < 3


def test_a_machine_without_a_browser_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.warns(UserWarning, match="No page was looked at: no browser"):
        assert looked_at(tmp_path / "none.html", tmp_path, SCREENS) == []
