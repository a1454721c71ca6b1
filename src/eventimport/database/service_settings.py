"""What holds for all processes, and stands in the database: what an admin has set, and its name."""

from typing import Final
from uuid import uuid4

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.models import ServiceSetting

STORAGE_PLACE: Final = "storage-place"
INSTALLATION: Final = "installation"


async def read_storage_place(connection: AsyncConnection) -> str | None:
    """The name of the storage that takes new objects; None where no admin has chosen one."""
    value = await connection.scalar(
        select(ServiceSetting.value).where(ServiceSetting.key == STORAGE_PLACE)
    )
    return value if isinstance(value, str) else None


async def write_storage_place(connection: AsyncConnection, name: str) -> None:
    """Let this storage take new objects from now on."""
    statement = insert(ServiceSetting).values(key=STORAGE_PLACE, value=name)
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=[ServiceSetting.key],
            set_={"value": statement.excluded.value, "updated_at": func.now()},
        )
    )


async def read_installation(connection: AsyncConnection) -> str:
    """The name of this database and no other, by which its storages know it; it is drawn when it is
    first asked for. A copy of the database bears it, too."""
    if (known := await find_installation(connection)) is not None:
        return known
    drawn = insert(ServiceSetting).values(key=INSTALLATION, value=str(uuid4()))
    await connection.execute(drawn.on_conflict_do_nothing())
    return str(await find_installation(connection))


async def find_installation(connection: AsyncConnection) -> str | None:
    """The same; None where nobody has asked for it yet."""
    value = await connection.scalar(
        select(ServiceSetting.value).where(ServiceSetting.key == INSTALLATION)
    )
    return value if isinstance(value, str) else None
