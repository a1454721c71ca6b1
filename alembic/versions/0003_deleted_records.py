"""Records that were deleted where their archive comes from stay, and are not public.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = (
    *("events", "event_copyrights", "speakers_calls", "social_links", "custom_forms"),
    *("microlocations", "sponsors", "speakers", "tracks", "session_types", "sessions"),
)


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    for table in TABLES:
        op.drop_column(table, "deleted_at")
