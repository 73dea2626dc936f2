"""Alembic environment and revisions of the schemas `hub` and `cases`, packaged with the code."""
