"""Fixtures of the rectification tests: a running city whose departments send broken rows too."""

import pytest

from tests.pipeline.city import city, city_template

__all__ = ["city", "city_template", "refused"]


@pytest.fixture
def refused(city):
    """The city after tax payments were pulled; two of them are quarantined."""
    city.pull("deed_tax_payment")
    return city
