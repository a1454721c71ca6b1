"""Export jobs: tasks that write an event in a format, and the files that they store.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

ONE_USE = "num_nonnulls(user_id, import_job_id, event_id{}) = 1"


def upgrade() -> None:
    op.create_table(
        "export_jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=True),
        sa.Column("event_identifier", sa.Text(), nullable=False),
        sa.Column("event_name", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("view", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("storage", sa.Text(), nullable=True),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name="fk_export_jobs_event_id_events", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["id"], ["tasks.id"], name="fk_export_jobs_id_tasks", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_export_jobs"),
        sa.UniqueConstraint("token", name="uq_export_jobs_token"),
    )
    op.create_index("ix_export_jobs_event_id", "export_jobs", ["event_id"])
    op.create_index("ix_export_jobs_expires_at", "export_jobs", ["expires_at"])
    op.create_table(
        "export_requests",
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["task_id"],
            ["export_jobs.id"],
            name="fk_export_requests_task_id_export_jobs",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_export_requests_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("task_id", "user_id", name="pk_export_requests"),
    )
    op.create_index("ix_export_requests_user_id", "export_requests", ["user_id"])
    op.add_column("object_links", sa.Column("export_job_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        "fk_object_links_export_job_id_export_jobs",
        "object_links",
        "export_jobs",
        ["export_job_id"],
        ["id"],
        ondelete="CASCADE",
    )
    op.create_index("ix_object_links_export_job_id", "object_links", ["export_job_id"])
    op.drop_constraint(op.f("ck_object_links_one_use"), "object_links", type_="check")
    op.create_check_constraint(
        op.f("ck_object_links_one_use"), "object_links", ONE_USE.format(", export_job_id")
    )


def downgrade() -> None:
    # Without a link, the clean-up deletes the files.
    op.execute("DELETE FROM object_links WHERE export_job_id IS NOT NULL")
    op.drop_constraint(op.f("ck_object_links_one_use"), "object_links", type_="check")
    op.drop_column("object_links", "export_job_id")
    op.create_check_constraint(op.f("ck_object_links_one_use"), "object_links", ONE_USE.format(""))
    op.drop_table("export_requests")
    op.drop_table("export_jobs")
    op.execute("DELETE FROM tasks WHERE kind = 'export'")
