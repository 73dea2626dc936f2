"""Targets: one contract compiled into the languages of others, from one intermediate form.

SQL (CHECK, UNIQUE, FOREIGN KEY), JSON Schema 2020-12 and OpenAPI 3.1, XML Schema with an embedded
Schematron, an HTML page. The hub's own row rules (`tongban.validate`) and its audits
(`tongban.quality`) are compiled elsewhere; one corpus of accepted and rejected rows holds all of
them against each other. A rule that a target cannot say stands in that target's own list of
gaps. Nothing here reads a record of a department, opens a socket or knows Airflow.
"""
