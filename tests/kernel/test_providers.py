"""Several systems may provide one dataset: routes have names of their own, records never mix."""

from __future__ import annotations

import pytest

from tests.pipeline.halls import make_halls
from tongban.kernel.catalog import load_catalog
from tongban.kernel.errors import ConfigInvalid
from tongban.onboarding.compiling import compile_problems


def names(catalog):
    """Names of all pull routes."""
    return [route.name for route in catalog.pull_routes]


def test_a_dataset_of_one_provider_is_named_by_itself(tmp_path):
    """What exists keeps its name."""
    catalog = load_catalog(make_halls(tmp_path, north="n"))

    assert ["visit"] == names(catalog)
    assert "pull_visit" == catalog.pull_route("visit").dag_id
    assert ("north",) == catalog.providers("visit")


def test_a_dataset_of_several_providers_is_named_with_each_of_them(tmp_path):
    """One route, and one DAG, for each."""
    catalog = load_catalog(make_halls(tmp_path, north="n", south="s"))

    assert [] == catalog.check() + compile_problems(catalog)
    assert ["north_visit", "south_visit"] == names(catalog)
    assert "pull_south_visit" == catalog.pull_route("visit", "south").dag_id


def test_the_system_must_be_named_where_several_provide(tmp_path):
    """Never one of them by chance."""
    catalog = load_catalog(make_halls(tmp_path, north="n", south="s"))

    with pytest.raises(ConfigInvalid, match='2 systems provide the dataset "visit": north, south'):
        catalog.pull_route("visit")


@pytest.mark.parametrize("marks", [{"north": "n"}, {"north": "n", "south": "s"}])
def test_a_system_that_does_not_provide_it_is_refused_with_those_that_do(marks, tmp_path):
    """The message has the choices."""
    catalog = load_catalog(make_halls(tmp_path, **marks))

    with pytest.raises(ConfigInvalid, match=r"east does not provide .*north"):
        catalog.pull_route("visit", "east")


def test_a_dataset_that_nobody_provides_is_the_hubs_own(tmp_path):
    """There is no route to it."""
    catalog = load_catalog(make_halls(tmp_path, north="n"))

    assert () == catalog.providers("visits")
    with pytest.raises(ConfigInvalid, match='did you mean "visit"'):
        catalog.pull_route("visits")


def test_providers_with_the_same_mark_in_their_keys_are_refused(tmp_path):
    """Their records would overwrite each other."""
    catalog = load_catalog(make_halls(tmp_path, north="same", south="same"))

    (first, second) = catalog.check()

    assert "mappings/north/visit.yaml:1: 2 systems provide visit" in first
    assert "found the same as south's" in first
    assert "mappings/south/visit.yaml:1" in second


def test_a_provider_without_a_mark_in_its_key_is_refused(tmp_path):
    """A key of the source alone is unique at the source alone."""
    root = make_halls(tmp_path, north="n", south="s")
    mapping = root / "mappings/south/visit.yaml"
    text = mapping.read_text(encoding="utf-8").replace("{ops: [{constant: s}]}", "{from: nr}")
    mapping.write_text(text, encoding="utf-8")

    (problem,) = load_catalog(root).check()

    assert "one field of its key must be a constant of this system; found none" in problem
