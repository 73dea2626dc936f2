"""Protocols: how a draft becomes bytes on the wire, and bytes become a document."""
