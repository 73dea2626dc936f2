"""Fixtures: the small city behind its six servers, and a hub that is connected to it."""

from __future__ import annotations

from tests.pipeline.city import city, city_template  # noqa: F401 - fixtures
