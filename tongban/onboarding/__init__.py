"""Onboarding: the data engineer's tools around one department system, before and beside its DAGs.

`checking` asks a system for as little as it can and says what holds, `preview` shows some of its
rows on their way through mapping and contract, `fake` serves a declared system from its own
description, and the drafting modules turn a WSDL or an OpenAPI file into files to edit. Nothing
here stores a record, and no tool overwrites a file.
"""
