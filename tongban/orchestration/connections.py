"""Connections: give the hub what Airflow's connections (UI, environment, secrets backend) hold.

A connection that Airflow does not know is no error here: the kernel then looks into the
environment and into the connection files. Nothing is read while DAG files are parsed.
"""

from __future__ import annotations

from airflow.sdk import BaseHook, Variable
from airflow.sdk.exceptions import AirflowNotFoundException

from tongban.kernel.connections import Connection, from_document


def airflow_connection(name: str) -> Connection | None:
    """The connection of that name in Airflow, or None when Airflow has none."""
    try:
        found = BaseHook.get_connection(name)
    except AirflowNotFoundException:
        return None
    return from_document(
        name,
        {
            "host": found.host,
            "port": found.port,
            "schema": found.schema or (found.conn_type if found.conn_type == "https" else None),
            "login": found.login,
            "password": found.password,
            "extra": found.extra_dejson,
        },
    )


def airflow_secret(name: str) -> str | None:
    """A secret as Airflow's backends hold it: a Variable, or the password of a Connection."""
    found = Variable.get(name, default=None)
    if found:
        return str(found)
    try:
        password = BaseHook.get_connection(name).password
    except AirflowNotFoundException:
        return None
    return str(password) if password else None
