"""Events are public when their owner publishes them. Public events stay public.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

PUBLIC = "privacy = 'public' AND state <> 'draft'"


def upgrade() -> None:
    op.add_column("events", sa.Column("published_at", sa.DateTime(timezone=True)))
    op.execute(f"UPDATE events SET published_at = created_at WHERE {PUBLIC}")  # noqa: S608
    op.alter_column("events", "state", nullable=True, server_default=None)
    for name in ("publish", "confirm"):
        column = sa.Column(name, sa.Boolean(), server_default=sa.text("false"), nullable=False)
        op.add_column("import_jobs", column)


def downgrade() -> None:
    for name in ("confirm", "publish"):
        op.drop_column("import_jobs", name)
    op.execute("UPDATE events SET state = 'draft' WHERE state IS NULL")
    # Nothing becomes public, and nothing that is public is hidden.
    op.execute(
        f"UPDATE events SET state = 'draft' WHERE published_at IS NULL AND {PUBLIC}"  # noqa: S608
    )
    op.execute(
        "UPDATE events SET state = 'published', privacy = 'public'"  # noqa: S608
        f" WHERE published_at IS NOT NULL AND NOT ({PUBLIC})"
    )
    op.alter_column("events", "state", nullable=False, server_default="draft")
    op.drop_column("events", "published_at")
