"""Import jobs say which format their source has.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # All imports before this one were of Open Event archives.
    op.add_column(
        "import_jobs",
        sa.Column("format", sa.Text(), server_default=sa.text("'openevent'"), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("import_jobs", "format")
