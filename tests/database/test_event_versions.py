"""Each change of an event or its parts counts."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.database.test_conference_reader import imported, talks

from eventimport.conference.kinds import Kind
from eventimport.database.event_changes import change
from eventimport.database.event_graph import NODES
from eventimport.database.event_queries import EDITABLE
from eventimport.database.event_versions import count_change, event_revision


async def test_each_change_counts(engine: AsyncEngine) -> None:
    _, plan = await imported(engine, talks(2))
    async with engine.begin() as connection:
        assert await event_revision(connection, plan.event_id) == 1
        for kind in (Kind.SESSION, Kind.EVENT):
            node = NODES[kind]
            own = node.table.c.event_id if kind is Kind.SESSION else node.table.c.id
            found = await connection.execute(
                select(*node.table.c).where(own == plan.event_id).limit(1)
            )
            row = {**found.mappings().one(), EDITABLE: True}
            changed = await change(connection, node, row, {})
            assert changed is not None
            assert changed["version"] == 2
        assert await event_revision(connection, plan.event_id) == 3
        await count_change(connection, plan.event_id)
        assert await event_revision(connection, plan.event_id) == 4
        assert await event_revision(connection, 10**9) is None
