"""Things are mapped where their options decide what a photo shows, and nowhere else."""

import numpy as np
import pytest

from data_prep.alignment.phrase_maps import PhraseSettings, concentration, fit, load_maps, save_maps
from data_prep.alignment.phrases import ABSENT
from kaleido_tf.errors import InputError

CELLS, FLOATS = 20, 3
SLEEVES, BELT = (4, 15), (12, 6)  # the cells that they decide


def drawn(count, seed=1):
    """(cells, options): noise; sleeves change one cell, a belt another that is as often denied; a
    text says "work" by chance and always names the hem.
    """
    generator = np.random.default_rng(seed)
    cells = generator.normal(2.0, 0.4, [count, CELLS, CELLS, FLOATS]).astype(np.float32)
    options = []
    for photo in range(count):
        said = {"sleev": "long" if generator.integers(2) else "short", "hem": "rib"}
        said["belt"] = "" if generator.integers(2) else ABSENT
        cells[photo][SLEEVES] += 2.0 * (said["sleev"] == "long")
        cells[photo][BELT] -= 2.0 * (said["belt"] == ABSENT)
        options.append(said | ({"work": ""} if generator.integers(2) else {}))
    return cells, options


def learn(cells, options, **changes):
    return fit(lambda numbers: cells[numbers], options, PhraseSettings(**changes))


@pytest.fixture(scope="module")
def learnt():
    return learn(*drawn(90))


@pytest.mark.parametrize("thing, cell", [("sleev", SLEEVES), ("belt", BELT)])
def test_map_points_to_the_cell_that_the_options_decide(learnt, thing, cell):
    heat, share = learnt[thing]
    assert heat.shape == (CELLS, CELLS) and heat.min() == 0 and share == concentration(heat)
    hottest = np.argwhere(heat > 0.5 * heat.max())
    assert len(hottest) and np.abs(hottest - cell).max() <= 2 and share > 0.5


def test_what_photos_do_not_show_has_no_map(learnt):
    assert set(learnt) == {"sleev", "belt"}  # "work" is said by chance


def test_without_gates_every_thing_that_varies_has_one():
    found = learn(*drawn(90), agreement=0.0, concentration=0.0)
    assert {"sleev", "belt"} <= set(found) <= {"sleev", "belt", "work"}


def test_a_denial_is_as_good_as_silence():
    cells, options = drawn(90)
    silent = [{k: v for k, v in said.items() if v != ABSENT} for said in options]
    np.testing.assert_allclose(learn(cells, silent)["belt"][0], learn(cells, options)["belt"][0])


def test_photos_are_added_up_as_if_they_came_at_once(monkeypatch):
    cells, options = drawn(41, seed=2)
    whole = learn(cells, options)
    monkeypatch.setattr("data_prep.alignment.phrase_maps._PHOTOS", 4)
    parts = learn(cells, options)
    assert set(whole) == set(parts) and "sleev" in whole
    for thing in whole:
        np.testing.assert_allclose(parts[thing][0], whole[thing][0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_photos_and_empty_texts_give_no_maps(count):
    cells, options = drawn(count)
    assert learn(cells, options) == {} and learn(cells, [{}] * count) == {}


@pytest.mark.parametrize("count", [2, 5])
def test_halves_without_photos_agree_on_nothing(count):
    cells, options = drawn(count, seed=4)
    options[0]["sleev"], options[1]["sleev"] = "long", "short"
    assert learn(cells, options, fewest=1) == {}


def test_photos_that_are_all_even_give_no_maps():
    _, options = drawn(30)
    assert learn(np.ones([30, CELLS, CELLS, FLOATS], np.float32), options) == {}


def test_rare_options_are_one():
    """Each option once: nothing to learn from, but for "said" against "not said"."""
    cells, options = drawn(60)
    named = [said | {"sleev": f"kind{n}"} for n, said in enumerate(options)]
    assert "sleev" not in learn(cells, named)


def test_maps_are_read_as_they_were_written(learnt, tmp_path):
    path = tmp_path / "maps.safetensors"
    maps = {("Dress", thing): found for thing, found in learnt.items()}
    written, read = save_maps(path, maps, "border", CELLS), load_maps(path)
    assert read.digest == written.digest and read.settings == written.settings
    np.testing.assert_array_equal(read.of["Dress", "belt"][0], learnt["belt"][0])
    assert read.of["Dress", "belt"][1] == pytest.approx(learnt["belt"][1])
    assert save_maps(path, {}, "border", CELLS).of == load_maps(path).of == {}
    with pytest.raises(InputError, match="Phrase maps .* is needed. Not found"):
        load_maps(tmp_path / "nothing")


@pytest.mark.parametrize("change", [{"fewest": 0}, {"agreement": 1.1}, {"concentration": -0.1}])
def test_settings_out_of_range(change):
    with pytest.raises(InputError, match=f"--{next(iter(change))} must be"):
        PhraseSettings(**change)
