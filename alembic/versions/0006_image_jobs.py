"""Image jobs: tasks that make the smaller sizes of changed images.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "image_jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=True),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("row_id", sa.BigInteger(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name="fk_image_jobs_event_id_events", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["id"], ["tasks.id"], name="fk_image_jobs_id_tasks", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_image_jobs"),
    )
    op.create_index("ix_image_jobs_event_id", "image_jobs", ["event_id"])


def downgrade() -> None:
    op.drop_table("image_jobs")
    op.execute("DELETE FROM tasks WHERE kind = 'image-sizes'")
