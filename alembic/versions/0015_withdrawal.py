"""Deleted events can be restored, and operators take events and uploads down.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

TABLES = (
    *("events", "event_copyrights", "speakers_calls", "social_links", "custom_forms"),
    *("microlocations", "sponsors", "speakers", "tracks", "session_types", "sessions"),
)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), server_default=sa.text("false"), nullable=False)


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, _flag("deleted_here"))
    op.add_column("events", sa.Column("taken_down_at", sa.DateTime(timezone=True)))
    op.add_column("events", sa.Column("taken_down_reason", sa.Text()))
    op.add_column("stored_objects", _flag("is_withdrawn"))
    op.add_column("stored_objects", _flag("is_moving"))
    op.add_column("stored_objects", sa.Column("taken_down_reason", sa.Text()))


def downgrade() -> None:
    # Without the columns, nothing would say that these are hidden.
    op.execute("UPDATE events SET published_at = NULL WHERE taken_down_at IS NOT NULL")
    for name in ("taken_down_reason", "is_moving", "is_withdrawn"):
        op.drop_column("stored_objects", name)
    for name in ("taken_down_reason", "taken_down_at"):
        op.drop_column("events", name)
    for table in reversed(TABLES):
        op.drop_column(table, "deleted_here")
