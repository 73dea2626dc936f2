"""The console's app: routes, refusals, headers. Every route asks for a signed-in user.

The pages themselves are made in `pages.py`; here is only who may see them and under which address.
All routes are GET, since the console changes nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from tongban.console import pages, render
from tongban.console.filters import Filter, filter_of_dag
from tongban.console.view import HubView
from tongban.kernel.errors import TongbanError

ICON = render.FOLDER / "icon.svg"
Name = Annotated[str | None, Query(max_length=64)]
RuleName = Annotated[str | None, Query(max_length=128)]
UNAUTHORIZED = (401, 403)

routes = APIRouter()


def create_app(get_hub: Callable[[], HubView], current_user: Callable[..., Any]) -> FastAPI:
    """The console as an app to be mounted.

    Args:
        get_hub: Gives the hub to look at; called once per page, so it should be cheap.
        current_user: FastAPI dependency that gives the user's name, or raises 401.
    """

    def signed_in(request: Request, user: Any = Depends(current_user)) -> None:  # noqa: B008
        request.state.user_name = str(user)

    app = FastAPI(
        title="Tongban console",
        dependencies=[Depends(signed_in)],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.get_hub = get_hub
    app.include_router(routes)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _refused)
    app.add_exception_handler(TongbanError, _refused)
    app.add_exception_handler(SQLAlchemyError, _refused)
    app.middleware("http")(_private)
    return app


def _show(request: Request, make: Callable[..., pages.Page], *parts: Any) -> Response:
    """One page for the signed-in user."""
    hub = request.app.state.get_hub()
    template, context = make(hub, render.language_of(request), *parts)
    return render.page(request, template, context, user=request.state.user_name)


@routes.get("/")
def home(request: Request) -> Response:
    """Five numbers and what needs a person."""
    return _show(request, pages.home)


@routes.get("/transfers")
def transfers(
    request: Request,
    system: Name = None,
    dataset: Name = None,
    direction: Name = None,
    state: Name = None,
    view: Name = None,
    before: Name = None,
) -> Response:
    """Transfers, latest of each route or the whole history."""
    wanted = Filter.of(system, dataset, direction, state, view, before)
    return _show(request, pages.transfers, wanted)


@routes.get("/transfers/{transfer_id}")
def transfer(request: Request, transfer_id: UUID) -> Response:
    """One transfer with its reasons."""
    return _show(request, pages.transfer, transfer_id)


@routes.get("/quarantine")
def quarantine(
    request: Request, system: Name = None, dataset: Name = None, rule: RuleName = None
) -> Response:
    """What was refused, by rule."""
    return _show(request, pages.quarantine, system or None, dataset or None, rule or None)


@routes.get("/outbox")
def outbox(request: Request, target: Name = None) -> Response:
    """What waits to be sent."""
    return _show(request, pages.outbox, target or None)


@routes.get("/datasets")
def datasets(request: Request) -> Response:
    """The shared catalog."""
    return _show(request, pages.datasets)


@routes.get("/datasets/{name}")
def dataset(request: Request, name: str) -> Response:
    """One contract."""
    return _show(request, pages.dataset, name)


@routes.get("/dags/{dag_id}")
def dag(request: Request, dag_id: str) -> Response:
    """The transfers of one DAG, for the tab on its page."""
    wanted = filter_of_dag(request.app.state.get_hub(), dag_id)
    return _show(request, pages.transfers, wanted)


@routes.get("/icon.svg")
def icon() -> Response:
    """The mark of the menu and of the pages."""
    return Response(ICON.read_bytes(), media_type="image/svg+xml")


def _refused(request: Request, exc: Exception) -> Response:
    """A refusal is a page too: no trace, no value, a way on."""
    if isinstance(exc, HTTPException):
        kind, status = ("login" if exc.status_code in UNAUTHORIZED else "missing"), exc.status_code
    elif isinstance(exc, RequestValidationError):
        kind, status = "missing", 404
    else:
        kind, status = "broken", 503
    return render.page(request, "refusal.html", {"kind": kind, "title": kind}, status=status)


async def _private(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Headers of every answer, refusals included."""
    response = await call_next(request)
    render.private(response.headers)
    return response
