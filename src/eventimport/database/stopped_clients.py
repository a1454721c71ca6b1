"""Transactions whose client has stopped between two messages of one statement.

PostgreSQL ends a transaction that is idle for too long (`idle_in_transaction_session_timeout`). One
whose client stops after a statement was parsed, and before it asks to execute it, stays active for
ever: no statement timeout applies either, because no statement is executed. The
driver lets that much time pass whenever a connection meets a statement for the first time. What is
locked stays locked as long as that machine is asleep, that container frozen, or that debugger open.

Behind PgBouncer, a session in the middle of a statement belongs to the client that has stopped.
Between two transactions, sessions are idle, and stay for their next client.
"""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# COPY waits for its client, too, and rightly so.
_END = text(
    "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity "
    "WHERE datname = current_database() AND usename = current_user "
    # PgBouncer may add " - host:port".
    "AND split_part(application_name, ' - ', 1) = "
    "split_part(current_setting('application_name'), ' - ', 1) AND pid <> pg_backend_pid() "
    "AND state = 'active' AND wait_event_type = 'Client' AND wait_event = 'ClientRead' "
    "AND query NOT ILIKE 'copy %' AND state_change < now() - CAST(:after AS interval)"
)


async def end_stopped_clients(connection: AsyncConnection, *, after: timedelta) -> int:
    """End the sessions of this service and this database user that PostgreSQL has waited for longer
    than this in the middle of a statement. Returns their number. Their transactions are rolled
    back."""
    return await connection.scalar(_END, {"after": after}) or 0
