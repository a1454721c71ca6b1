"""`eventimport user`: manages accounts."""

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eventimport.cli.console import fail, out, plain

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from sqlalchemy.ext.asyncio import AsyncConnection

    from eventimport.database.engine import DatabaseConfig
    from eventimport.resources import Resources

    Work = Callable[[Resources, Any], Awaitable[Any]]
    """What a command does with an account."""

PASSWORD_VARIABLE = "EVENTIMPORT_PASSWORD"  # noqa: S105 - a variable's name

Address = Annotated[str, typer.Option("--email", help="The e-mail address of the account.")]

app = typer.Typer(help="Add, list and change accounts.", no_args_is_help=True)


def ask_password(*, new: bool = False) -> str:
    """The password from EVENTIMPORT_PASSWORD or from a prompt, which repeats for a new password."""
    given = os.environ.get(PASSWORD_VARIABLE)
    if given:
        return given
    if not sys.stdin.isatty():
        fail(f"A password is required: set {PASSWORD_VARIABLE}, or run the command in a terminal.")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=new, err=True))


async def create_account(
    config: "DatabaseConfig", email: str, password: str, *, is_admin: bool
) -> int:
    """Store a new account and return its id. Raises EmailTakenError."""
    from eventimport.auth import Passwords
    from eventimport.database.accounts import add_user
    from eventimport.database.engine import create_engine, session_factory

    engine = create_engine(config)
    try:
        password_hash = await Passwords().hash(password)
        async with session_factory(engine).begin() as session:
            user = await add_user(
                session, email=email, password_hash=password_hash, is_admin=is_admin
            )
        return user.id
    finally:
        await engine.dispose()


@app.callback()
def accounts() -> None:
    """Accounts."""


@app.command("add")
def add(
    email: Address,
    admin: Annotated[
        bool, typer.Option("--admin", help="The account can see and change everything.")
    ] = False,
) -> None:
    """Add an account. Set its password with EVENTIMPORT_PASSWORD, or enter it at the prompt."""
    from pydantic import ValidationError

    from eventimport.accounts.passwords import check_new_password
    from eventimport.cli.schema import UNREACHABLE, require_schema, unreachable
    from eventimport.database.accounts import EmailTakenError
    from eventimport.errors import ProblemError
    from eventimport.routers.users import NewUser
    from eventimport.settings import load_settings

    settings = load_settings()
    require_schema(settings.database)
    try:
        new = NewUser(email=email, password=ask_password(new=True))
        check_new_password(settings, new.password, new.email)
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False)
        fail("; ".join(f"{problem['loc'][0]}: {problem['msg']}" for problem in problems))
    except ProblemError as error:
        fail(str(error))
    try:
        number = asyncio.run(
            create_account(settings.database, new.email, new.password, is_admin=admin)
        )
    except EmailTakenError as error:
        fail(str(error))
    except UNREACHABLE as error:
        fail(unreachable(error))
    out.print(f"Added {'admin' if admin else 'user'} {plain(new.email)} (id {number}).")


@app.command("list")
def list_all(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per line.")
    ] = False,
) -> None:
    """List all accounts: id, address, and what is special about them."""
    from eventimport.database.accounts import list_accounts

    for row in _run(_over_connection(list_accounts)):
        if as_json:
            out.print(json.dumps(row._asdict(), default=str), markup=False)
            continue
        marks = {
            "admin": row.is_admin,
            "not confirmed": not row.is_confirmed,
            "disabled": row.disabled_at is not None,
        }
        listed = ", ".join(mark for mark, holds in marks.items() if holds)
        out.print(f"{row.id:>6}  {plain(row.email)}{f'  ({listed})' if listed else ''}")


@app.command("reset")
def reset(email: Address) -> None:
    """Print a link with which the user can set a new password, once.

    It expires after RESET_LINK_MINUTES, and no mail is sent. Opening it signs the account out
    everywhere.
    """
    from eventimport.accounts.passwords import make_reset_link

    async def work(resources: "Resources", user: Any) -> str:
        return await make_reset_link(resources, user.id, user.email)

    out.print(_run(_over_account(email, work)), markup=False)


@app.command("disable")
def disable(email: Address) -> None:
    """Disable an account: it is signed out everywhere, and cannot sign in. Its events stay."""
    _run(_over_account(email, _switch(disabled=True)))
    out.print(f"Disabled {plain(email)}.")


@app.command("enable")
def enable(email: Address) -> None:
    """Enable an account that was disabled."""
    _run(_over_account(email, _switch(disabled=False)))
    out.print(f"Enabled {plain(email)}.")


@app.command("delete")
def delete(
    email: Address,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Delete an account with its imports and uploads, the events that no other user owns, and all
    their files. This cannot be undone."""
    from eventimport.accounts.erasing import close_account

    async def work(resources: "Resources", user: Any) -> None:
        await close_account(resources, user.id, actor=None)

    if not yes:
        typer.confirm(f"Delete {email} and all that only this user owns?", abort=True, err=True)
    _run(_over_account(email, work))
    out.print(f"Deleted {plain(email)}.")


def _switch(*, disabled: bool) -> "Work":
    async def work(resources: "Resources", user: Any) -> None:
        from eventimport.database.accounts import set_disabled
        from eventimport.database.audit import record_act

        async with resources.engine.begin() as connection:
            await set_disabled(connection, user.id, disabled=disabled)
            action = "admin-disable" if disabled else "admin-enable"
            await record_act(connection, action, actor=None, subject=("user", user.id))

    return work


async def _over_connection(work: "Callable[[AsyncConnection], Awaitable[Any]]") -> Any:
    from eventimport.resources import open_resources
    from eventimport.settings import load_settings

    async with (
        open_resources(load_settings()) as resources,
        resources.reader.connect() as connection,
    ):
        return await work(connection)


async def _over_account(email: str, work: "Work") -> Any:
    """Do the work with the account that has this address."""
    from eventimport.database.accounts import find_by_address
    from eventimport.resources import open_resources
    from eventimport.settings import load_settings

    async with open_resources(load_settings()) as resources:
        async with resources.reader.connect() as connection:
            user = await find_by_address(connection, email)
        if user is None:
            fail(f"No account has the address {email}.")
        return await work(resources, user)


def _run(work: "Coroutine[Any, Any, Any]") -> Any:
    """Run the command, once the database is known to have the right tables."""
    from eventimport.cli.schema import UNREACHABLE, require_schema, unreachable
    from eventimport.settings import load_settings

    try:
        require_schema(load_settings().database)
        return asyncio.run(work)
    except UNREACHABLE as error:
        fail(unreachable(error))
    finally:
        work.close()
