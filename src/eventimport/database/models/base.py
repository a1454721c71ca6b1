"""What all tables share: names of constraints, types, and the columns of an event's parts."""

from datetime import datetime
from typing import Annotated, Any, ClassVar

from sqlalchemy import (
    BigInteger,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Integer,
    MetaData,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

JsonObject = dict[str, Any]

BigId = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True, sort_order=-3)]
"""A key drawn from the sequence `<table>_id_seq`, which an import may draw from ahead."""

CreatedAt = Annotated[datetime, mapped_column(server_default=func.now())]
TrueByDefault = Annotated[bool, mapped_column(server_default=text("true"))]
FalseByDefault = Annotated[bool, mapped_column(server_default=text("false"))]
EmptyByDefault = Annotated[str, mapped_column(server_default="")]
Extra = Annotated[JsonObject, mapped_column(server_default=text("'{}'::jsonb"))]
"""What the archive's record said and no column names."""

Version = Annotated[int, mapped_column(server_default=text("1"))]
"""Counts the changes of a row, for `ETag` and `If-Match`."""


class Base(DeclarativeBase):
    """The base of all models. All times are `timestamptz`; all defaults are the server's, because
    COPY knows no others."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        int: Integer(),
        float: Double(),
        datetime: DateTime(timezone=True),
        JsonObject: JSONB(none_as_null=True),
        list[JsonObject]: JSONB(none_as_null=True),
        Any: JSONB(),
    }


class EventPart:
    """The columns of every row that belongs to an event and may come from an archive.

    `source_id` is the id that the record had in the archive, as text. What has been deleted has
    `deleted_at`, and is for the event's members and admins. It was `deleted_here`, by a user, or is
    deleted in its source: only the former is removed after a while.
    """

    id: Mapped[BigId]

    @declared_attr
    def event_id(self) -> Mapped[int]:
        """The event; its parts are deleted with it."""
        return mapped_column(ForeignKey("events.id", ondelete="CASCADE"), index=True, sort_order=-2)

    source_id: Mapped[str | None] = mapped_column(sort_order=-1)
    deleted_at: Mapped[datetime | None]
    deleted_here: Mapped[FalseByDefault]
    extra: Mapped[Extra]
    version: Mapped[Version]
