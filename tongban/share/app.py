"""The share app: read-only, JSON, signed-in users only, no interactive documentation pages.

Errors are JSON too, without traces: an unknown dataset is 404, a hub that is not there 503.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from tongban.kernel.catalog import Catalog
from tongban.kernel.errors import TongbanError
from tongban.share.catalog import DatasetCard, DatasetDetail, card_of, detail_of, freshness

routes = APIRouter()


class HubView(Protocol):
    """The part of a hub that the app needs; `tongban.hub.Hub` fits."""

    @property
    def engine(self) -> Engine:
        """Where the cursors are."""
        ...

    @property
    def catalog(self) -> Catalog:
        """What is declared."""
        ...


def create_app(get_hub: Callable[[], HubView], current_user: Callable[..., Any]) -> FastAPI:
    """The app, to be served or mounted.

    Args:
        get_hub: Gives the hub; called once per request, so it should be cheap.
        current_user: FastAPI dependency that gives the caller, or raises 401.
    """
    app = FastAPI(
        title="Tongban share",
        dependencies=[Depends(current_user)],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.get_hub = get_hub
    app.include_router(routes)
    app.add_exception_handler(TongbanError, _unavailable)
    app.add_exception_handler(SQLAlchemyError, _unavailable)
    app.middleware("http")(_private)
    return app


@routes.get("/catalog")
def catalog(request: Request) -> list[DatasetCard]:
    """Every shared dataset."""
    hub: HubView = request.app.state.get_hub()
    fresh = freshness(hub.engine)
    return [card_of(hub.catalog, name, fresh) for name in hub.catalog.datasets]


@routes.get("/catalog/{dataset}")
def dataset_detail(request: Request, dataset: str) -> DatasetDetail:
    """One dataset with its fields."""
    hub: HubView = request.app.state.get_hub()
    if dataset not in hub.catalog.datasets:
        raise HTTPException(404, "no such dataset; GET /catalog lists them")
    return detail_of(hub.catalog, dataset, freshness(hub.engine))


def _unavailable(_request: Request, exc: Exception) -> JSONResponse:
    """Our own words at most: another library's message may quote a row."""
    code = exc.code if isinstance(exc, TongbanError) else "retry.database_unavailable"
    return JSONResponse({"detail": "the hub cannot answer now", "code": code}, status_code=503)


async def _private(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Headers of every answer."""
    response = await call_next(request)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
