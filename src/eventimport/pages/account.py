"""The pages behind the links in mails, and the one that requests a link.

The token comes after the `#`, which browsers keep to themselves: only the page's script reads it.
"""

from fastapi import Request, Response

from eventimport.auth import MAX_PASSWORD_LENGTH
from eventimport.http.dependencies import ResourcesDep
from eventimport.http.routing import Router
from eventimport.pages.templates import html_response, render

router = Router(include_in_schema=False)


@router.api_route("/account/confirm", methods=["GET", "HEAD"])
async def show_confirm_page(_request: Request) -> Response:
    """The page that confirms an address."""
    return _page("account_confirm.html")


@router.api_route("/account/reset", methods=["GET", "HEAD"])
async def show_reset_page(_request: Request, resources: ResourcesDep) -> Response:
    """The page that sets a new password."""
    return _page(
        "account_reset.html",
        min_password_length=resources.settings.min_password_length,
        max_password_length=MAX_PASSWORD_LENGTH,
    )


@router.api_route("/account/forgot", methods=["GET", "HEAD"])
async def show_forgot_page(_request: Request, resources: ResourcesDep) -> Response:
    """The page that requests a link to set a new password."""
    mailed = resources.settings.mail is not None
    return _page("account_forgot.html", mailed=mailed)


def _page(template: str, **values: object) -> Response:
    return html_response(render(template, **values), scripts=True)
