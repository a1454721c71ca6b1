"""`eventimport user`: manages accounts."""

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from eventimport.cli.console import fail, out, plain

if TYPE_CHECKING:
    from eventimport.database.engine import DatabaseConfig

PASSWORD_VARIABLE = "EVENTIMPORT_PASSWORD"  # noqa: S105 - a variable's name

app = typer.Typer(help="Accounts.", no_args_is_help=True)


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
    email: Annotated[str, typer.Option(help="The e-mail address of the account.")],
    admin: Annotated[
        bool, typer.Option("--admin", help="The account can see and change everything.")
    ] = False,
) -> None:
    """Add an account. Set its password with EVENTIMPORT_PASSWORD, or enter it at the prompt."""
    from pydantic import ValidationError

    from eventimport.cli.schema import UNREACHABLE, require_schema, unreachable
    from eventimport.database.accounts import EmailTakenError
    from eventimport.routers.users import NewUser
    from eventimport.settings import load_settings

    settings = load_settings()
    require_schema(settings.database)
    try:
        new = NewUser(email=email, password=ask_password(new=True))
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False)
        fail("; ".join(f"{problem['loc'][0]}: {problem['msg']}" for problem in problems))
    try:
        number = asyncio.run(
            create_account(settings.database, new.email, new.password, is_admin=admin)
        )
    except EmailTakenError as error:
        fail(str(error))
    except UNREACHABLE as error:
        fail(unreachable(error))
    out.print(f"Added {'admin' if admin else 'user'} {plain(new.email)} (id {number}).")
