"""Protect: seal classified values, index them blindly, digest rows (step 4 of 6).

After this step no table, log, error, XCom or page holds a classified value in plain. Values are
bound to their dataset, field and record; keys stay in the key ring and are never logged.
"""

from __future__ import annotations

from tongban.protect.columns import open_column, seal_column
from tongban.protect.digest import record_id_of
from tongban.protect.frames import ProtectedFrame, open_frame, protect_frame
from tongban.protect.index import blind_index, blind_index_of
from tongban.protect.keyring import KeyRing, KeyShredded, MasterKeyWrong
from tongban.protect.mask import mask
from tongban.protect.quarantine import open_quarantine, protect_quarantine
from tongban.protect.vault import Vault

__all__ = [
    "KeyRing",
    "KeyShredded",
    "MasterKeyWrong",
    "ProtectedFrame",
    "Vault",
    "blind_index",
    "blind_index_of",
    "mask",
    "open_column",
    "open_frame",
    "open_quarantine",
    "protect_frame",
    "protect_quarantine",
    "record_id_of",
    "seal_column",
]
