"""What an admin has set while the service runs."""

from typing import Final

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.models import ServiceSetting

STORAGE_PLACE: Final = "storage-place"


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
