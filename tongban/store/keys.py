"""Keys: hold a database and the key ring that is used with it together.

Record ids and blind indexes are keyed hashes. A worker that opens the right database with another
ring (a second host with a folder of its own, a lost folder that was made anew) would find no
record again and store and push all of them a second time. So it is refused before it reads a row.
"""

from __future__ import annotations

from sqlalchemy import Engine, text

from tongban.kernel.errors import KeyUnknown
from tongban.store.engine import transaction

_LOCK = text("SELECT pg_advisory_xact_lock(:lock)")
_LOCK_NUMBER = 0x746F6E67_62616E03  # "tongban", 3: the first opening
_READ = text("SELECT fingerprint FROM hub.key_ring")
_BIND = text("INSERT INTO hub.key_ring (fingerprint) VALUES (:fingerprint)")


def bind_key_ring(engine: Engine, fingerprint: bytes, place: str) -> None:
    """Bind a database to the first ring that it is opened with, and refuse every other one.

    Args:
        engine: A migrated database.
        fingerprint: `KeyRing.fingerprint`.
        place: Where the ring lies, for the message.

    Raises:
        KeyUnknown: The database was begun with another ring.
    """
    with transaction(engine) as conn:
        bound = conn.execute(_READ).scalar()
        if bound is None:
            conn.execute(_LOCK, {"lock": _LOCK_NUMBER})
            bound = conn.execute(_READ).scalar()
        if bound is None:
            conn.execute(_BIND, {"fingerprint": fingerprint})
            return
    if bytes(bound) != fingerprint:
        raise KeyUnknown(
            f"{place}: this key ring is not the one that the database was begun with, so none of "
            "its records would be found again; give the workers one folder of keys, or restore it "
            "from its backup",
            place=place,
        )
