"""The local stack: PostgreSQL, the sandbox and Airflow as ordinary processes below one folder.

Talks to Airflow by processes and REST only; never imports it, and never touches a record.
"""
