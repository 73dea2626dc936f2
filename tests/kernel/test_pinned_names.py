"""Pinned files: only what stands below connectors/wsdl/ can be named."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tongban.kernel.interfaces import Soap

DIGEST = "0" * 64


@pytest.mark.parametrize("name", ["/etc/passwd", "../tax.wsdl", "a/../../b.xsd", "..\\b.xsd"])
@pytest.mark.parametrize("place", ["wsdl", "imports", "locations"])
def test_a_name_that_leads_out_of_the_folder_is_refused(place, name):
    """Whoever reviews a system's YAML sees every file that it can read."""
    said = {"wsdl": name, "imports": {name: DIGEST}, "locations": {"http://x/y.xsd": name}}
    with pytest.raises(ValidationError, match="stands below connectors/wsdl/"):
        Soap.model_validate({"wsdl": "a.wsdl", "sha256": DIGEST, place: said[place]})


def test_a_file_in_a_folder_of_its_own_is_named_from_there():
    """As drafts write it."""
    assert "fund/a..b.wsdl" == Soap(wsdl="fund/a..b.wsdl", sha256=DIGEST).wsdl
