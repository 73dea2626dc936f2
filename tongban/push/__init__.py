"""Push: bring every new version of a record to every target that subscribed (step 6 of 6).

The outbox was written in the record's own transaction. A worker claims a batch, opens and maps
it, sends it, and records the receiver's answer per record; until there is one, the record stays
claimable. Delivery repeats with the same guid, so the effect at the target is exactly one.
Nothing here deletes an outbox row, and no HTTP status counts as success.
"""

from __future__ import annotations

from tongban.push.deliver import PushCounts, RowsParked, deliver
from tongban.push.outbox import requeue

__all__ = ["PushCounts", "RowsParked", "deliver", "requeue"]
