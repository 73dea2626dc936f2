"""Share: what other departments' programs may ask the hub.

At present the catalog only: which datasets there are, from whom, how fresh, and what their fields
mean. No record leaves through here; grants, lookup and feeds come with their own enforcement.

    create_app(get_hub, current_user)    # a FastAPI app to be mounted; every route needs a login
"""

from __future__ import annotations

from tongban.share.app import create_app

__all__ = ["create_app"]
