"""Tasks: one table for all background work; import jobs keep what is an import's.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

CARRIED = "user_id, status, attempt, stage, done, total, message, errors, stage_seconds,"
CARRIED += " trace_parent, request_id, created_at, started_at, finished_at"
"""The columns that move from `import_jobs` to `tasks`, and back."""


def upgrade() -> None:
    op.create_table(
        "tasks",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), server_default="PENDING", nullable=False),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("held", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("beat", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("waited", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stage", sa.Text(), nullable=True),
        sa.Column("done", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("total", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("result", postgresql.JSONB(), nullable=True),
        sa.Column("errors", postgresql.JSONB(), nullable=True),
        sa.Column("stage_seconds", postgresql.JSONB(), nullable=True),
        sa.Column("trace_parent", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('PENDING', 'STARTED', 'SUCCESS', 'FAILURE', 'REVOKED')",
            name=op.f("ck_tasks_status"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_tasks_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_tasks"),
    )
    # A running import is held by a worker of before: the recovery takes it over.
    op.execute(
        f"INSERT INTO tasks (id, kind, held, failures, {CARRIED})"  # noqa: S608 - constants
        " SELECT id, 'import', status = 'STARTED',"
        " CASE WHEN status IN ('PENDING', 'STARTED') THEN greatest(attempt - 1, 0) ELSE 0 END,"
        f" {CARRIED} FROM import_jobs"
    )
    op.create_index(
        "ix_tasks_user_id_created_at", "tasks", ["user_id", sa.literal_column("created_at DESC")]
    )
    op.create_index("ix_tasks_user_id_started_at", "tasks", ["user_id", "started_at"])
    op.create_index(
        "ix_tasks_open",
        "tasks",
        ["status", "user_id"],
        postgresql_where=sa.text("held OR status IN ('PENDING', 'STARTED')"),
    )
    op.drop_index("ix_import_jobs_open", table_name="import_jobs")
    op.drop_index("ix_import_jobs_user_id_created_at", table_name="import_jobs")
    for name in [*CARRIED.replace(" ", "").split(","), "enqueued_at", "heartbeat_at"]:
        op.drop_column("import_jobs", name)
    op.alter_column("import_jobs", "id", server_default=None)
    op.create_foreign_key(
        "fk_import_jobs_id_tasks", "import_jobs", "tasks", ["id"], ["id"], ondelete="CASCADE"
    )


def downgrade() -> None:
    op.drop_constraint("fk_import_jobs_id_tasks", "import_jobs", type_="foreignkey")
    op.alter_column("import_jobs", "id", server_default=sa.text("gen_random_uuid()"))
    for column in (
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.Text(), server_default="PENDING", nullable=False),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("stage", sa.Text(), nullable=True),
        sa.Column("done", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("total", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("errors", postgresql.JSONB(), nullable=True),
        sa.Column("stage_seconds", postgresql.JSONB(), nullable=True),
        sa.Column("trace_parent", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("enqueued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
    ):
        op.add_column("import_jobs", column)
    op.execute(
        f"UPDATE import_jobs SET ({CARRIED}, heartbeat_at) ="  # noqa: S608 - constants
        f" (SELECT {CARRIED}, CASE WHEN status = 'STARTED' THEN now() END"
        " FROM tasks WHERE tasks.id = import_jobs.id)"
    )
    op.alter_column("import_jobs", "user_id", nullable=False)
    op.create_check_constraint(
        op.f("ck_import_jobs_status"),
        "import_jobs",
        "status IN ('PENDING', 'STARTED', 'SUCCESS', 'FAILURE', 'REVOKED')",
    )
    op.create_foreign_key(
        "fk_import_jobs_user_id_users",
        "import_jobs",
        "users",
        ["user_id"],
        ["id"],
        ondelete="CASCADE",
    )
    op.create_index(
        "ix_import_jobs_open",
        "import_jobs",
        ["status"],
        postgresql_where=sa.text("status IN ('PENDING', 'STARTED')"),
    )
    op.create_index(
        "ix_import_jobs_user_id_created_at",
        "import_jobs",
        ["user_id", sa.literal_column("created_at DESC")],
    )
    op.drop_table("tasks")
