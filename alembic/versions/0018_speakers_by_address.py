"""Speakers are found by their e-mail addresses.

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A hash, because an address in an archive may be longer than an entry of a B-tree.
    op.create_index(
        "ix_speakers_email_lower", "speakers", [sa.text("lower(email)")], postgresql_using="hash"
    )


def downgrade() -> None:
    op.drop_index("ix_speakers_email_lower", "speakers")
