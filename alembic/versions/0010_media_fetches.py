"""Media fetches: tasks that fetch the media files that an import has not stored.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "media_fetches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("import_job_id", sa.Uuid(), nullable=False),
        sa.Column("stored_before", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["import_job_id"],
            ["import_jobs.id"],
            name="fk_media_fetches_import_job_id_import_jobs",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["id"], ["tasks.id"], name="fk_media_fetches_id_tasks", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_media_fetches"),
    )
    op.create_index("ix_media_fetches_import_job_id", "media_fetches", ["import_job_id"])


def downgrade() -> None:
    op.drop_table("media_fetches")
    op.execute("DELETE FROM tasks WHERE kind = 'fetch-media'")
