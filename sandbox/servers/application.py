"""Application: one department's server as an ASGI application, faults outermost."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette

from sandbox.errors import SandboxError
from sandbox.servers.control import Control
from sandbox.servers.faults import FaultLayer
from sandbox.servers.housing import Housing
from sandbox.servers.market import Market
from sandbox.servers.office import Department, Office
from sandbox.servers.registration import Registration
from sandbox.servers.social import Social
from sandbox.servers.substation import Substation
from sandbox.servers.tax import Tax

DEPARTMENTS: Mapping[str, Callable[[Office], Department]] = {
    "tax": Tax,
    "registration": Registration,
    "housing": Housing,
    "social": Social,
    "market": Market,
    "substation": Substation,
}


def create_app(system: str, state_dir: Path) -> FaultLayer:
    """Build the server of one system over its state folder.

    Args:
        system: One of `DEPARTMENTS`.
        state_dir: Folder that `python -m sandbox population` wrote.

    Returns:
        An ASGI application; it closes the state file at lifespan shutdown.

    Raises:
        SandboxError: Unknown system, or a folder without state.
    """
    if system not in DEPARTMENTS:
        known = ", ".join(DEPARTMENTS)
        raise SandboxError(f"sandbox: no system called {system}; choose one of {known}")
    office = Office(system, state_dir)
    department = DEPARTMENTS[system](office)
    control = Control(office)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None, None]:
        del app
        try:
            yield
        finally:
            office.close()

    inner = Starlette(routes=[*control.routes(), *department.routes()], lifespan=lifespan)
    layer = FaultLayer(inner, office, department)
    control.layer = layer
    return layer
