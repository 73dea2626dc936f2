"""Provider: tells Airflow about our connection types, with forms for address and secrets.

Found through the entry point `apache_airflow_provider` of the installed wheel. Imports nothing,
since Airflow reads it in every process. What a form has no field for goes into the extra.
"""

from __future__ import annotations

from typing import Any

TYPES = {"tongban_soap": "SoapDepartmentHook", "tongban_rest": "RestDepartmentHook"}
NAMES = {"tongban_soap": "Tongban 部门 SOAP", "tongban_rest": "Tongban 部门 REST"}


def provider_info() -> dict[str, Any]:
    """Give Airflow's description of this package (airflow/provider_info.schema.json)."""
    return {
        "package-name": "tongban",
        "name": "Tongban",
        "description": "Connections to department systems of the Tongban hub.",
        "connection-types": [_connection_type(name) for name in TYPES],
    }


def _connection_type(name: str) -> dict[str, Any]:
    return {
        "connection-type": name,
        "hook-class-name": f"tongban.orchestration.hooks.{TYPES[name]}",
        "hook-name": NAMES[name],
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "port"],
            "relabeling": {
                "host": "Base URL",
                "login": "Login, application id or client id",
                "password": "Password, shared or client secret",
            },
            "placeholders": {"host": "https://department.example.invalid"},
        },
        "conn-fields": {
            "ca_file": _text("CA file", "PEM of issuers, where the system's own are not enough"),
            "client_cert_file": _text("Client certificate file", "PEM, for mutual TLS"),
            "client_key_file": _text("Client key file", "PEM, when not in the certificate's file"),
            "private_key_file": _text("Signing key file", "PEM, for RSA or X.509 signatures"),
            "field_key": _secret("Field key", "hex, for fields that travel encrypted"),
            "token": _secret("Token", "for systems that give a constant one"),
        },
    }


def _text(label: str, description: str) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": ["string", "null"]}}


def _secret(label: str, description: str) -> dict[str, Any]:
    """A field that the form hides and Airflow masks."""
    field = _text(label, description)
    return {**field, "schema": {**field["schema"], "format": "password"}}
