"""Findings in rows of their own.

Each report keeps its first findings; 2026-11-25.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Older reports did not limit their findings: one of more than 16 KiB is not carried over.
MOVE = """
    INSERT INTO import_findings (import_job_id, position, severity, content)
    SELECT job.id,
           row_number() OVER (
               PARTITION BY job.id
               ORDER BY array_position(
                   ARRAY['error', 'warning', 'repair'], finding.value ->> 'severity'
               ), finding.number
           ) - 1,
           finding.value ->> 'severity',
           finding.value || jsonb_build_object(
               'count', 1,
               'places', jsonb_build_array(finding.value - 'severity' - 'code' - 'message')
           )
    FROM import_jobs AS job,
         jsonb_array_elements(job.report -> 'findings') WITH ORDINALITY AS finding (value, number)
    WHERE jsonb_typeof(job.report -> 'findings') = 'array'
      AND octet_length(finding.value::text) <= 16384
"""

SHORTEN_REPORTS = """
    UPDATE import_jobs AS job
    SET report = job.report || jsonb_build_object(
        'findings', coalesce((
            SELECT jsonb_agg(content ORDER BY position) FROM import_findings
            WHERE import_job_id = job.id AND position < 20
        ), '[]'::jsonb),
        'total', (SELECT count(*) FROM import_findings WHERE import_job_id = job.id)
    )
    WHERE jsonb_typeof(job.report -> 'findings') = 'array'
"""

SHORTEN_ERRORS = """
    UPDATE import_jobs
    SET errors = jsonb_path_query_array(errors, '$[0 to 19]'),
        report = coalesce(report, '{}'::jsonb)
            || jsonb_build_object('error_count', jsonb_array_length(errors))
    WHERE jsonb_typeof(errors) = 'array' AND jsonb_array_length(errors) > 20
"""

PUT_BACK = """
    UPDATE import_jobs AS job
    SET report = jsonb_set(job.report, '{findings}', (
        SELECT jsonb_agg(content ORDER BY position) FROM import_findings
        WHERE import_job_id = job.id
    ))
    WHERE EXISTS (SELECT FROM import_findings WHERE import_job_id = job.id)
"""


def upgrade() -> None:
    op.create_table(
        "import_findings",
        sa.Column("import_job_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_job_id"],
            ["import_jobs.id"],
            name=op.f("fk_import_findings_import_job_id_import_jobs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("import_job_id", "position", name=op.f("pk_import_findings")),
    )
    op.execute(MOVE)
    op.execute(SHORTEN_REPORTS)
    op.execute(SHORTEN_ERRORS)


def downgrade() -> None:
    op.execute(PUT_BACK)
    op.drop_table("import_findings")
