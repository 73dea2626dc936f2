"""Store: write each chunk in one transaction, and answer where everything stands (step 5 of 6).

PostgreSQL only: schema `hub` for operations (`tables`), `data` for one table per dataset and
major version (`datasets`). Records, history, quarantine, outbox, cursor, counts and evidence
of a chunk are committed together or not at all. Nothing here sees a classified value in plain.
"""
