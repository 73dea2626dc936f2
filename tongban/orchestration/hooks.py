"""Hooks: the classes behind our connection types in Airflow's interface.

They give the kernel's `Connection` and make no call: only connectors talk to departments, inside
their budgets. A DAG of ours needs none of them; they are for the form and for people's own DAGs.
"""

from __future__ import annotations

from airflow.sdk import BaseHook

from tongban.kernel.connections import Connection
from tongban.kernel.errors import CredentialsMissing
from tongban.orchestration.connections import airflow_connection


class DepartmentHook(BaseHook):
    """A department's address and our identity there.

    Args:
        connection: Name of the connection, as the system's YAML has it.
    """

    conn_name_attr = "connection"
    default_conn_name = "department"

    def __init__(self, connection: str = default_conn_name) -> None:
        super().__init__()
        self.connection = connection

    def get_conn(self) -> Connection:
        """Give the connection.

        Raises:
            CredentialsMissing: Airflow has none of that name, or it has no address.
        """
        found = airflow_connection(self.connection)
        if found is None:
            raise CredentialsMissing(
                f"connection {self.connection!r}: Airflow has none of that name; create it",
                connection=self.connection,
            )
        return found


class SoapDepartmentHook(DepartmentHook):
    """A department that speaks SOAP."""

    conn_type = "tongban_soap"
    hook_name = "Tongban 部门 SOAP"


class RestDepartmentHook(DepartmentHook):
    """A department that speaks REST."""

    conn_type = "tongban_rest"
    hook_name = "Tongban 部门 REST"
