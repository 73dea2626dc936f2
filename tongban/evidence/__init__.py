"""Evidence: an append-only, hash-chained log of what the hub did, and its verifier.

An entry is written inside the transaction that it is about, so there is neither an effect
without an entry nor an entry without an effect. Entries hold ids, counts and digests only.
"""
