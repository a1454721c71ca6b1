"""Links in mails, sign-ins with refresh tokens, personal access tokens, and mails about accounts.

Revision ID: 0014
Revises: 0013
"""

from datetime import datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def _user(table: str) -> tuple[sa.Column[int], sa.ForeignKeyConstraint]:
    name = f"fk_{table}_user_id_users"
    return (
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=name, ondelete="CASCADE"),
    )


def _created_at() -> sa.Column[datetime]:
    return sa.Column("created_at", TIME, server_default=sa.func.now(), nullable=False)


def upgrade() -> None:
    op.create_table(
        "account_links",
        sa.Column("id", sa.Uuid(), server_default=sa.func.gen_random_uuid(), nullable=False),
        *_user("account_links"),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        _created_at(),
        sa.Column("expires_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_account_links"),
    )
    op.create_index("ix_account_links_user_id", "account_links", ["user_id"])
    op.create_index("ix_account_links_expires_at", "account_links", ["expires_at"])
    op.create_table(
        "sign_ins",
        sa.Column("id", sa.Uuid(), nullable=False),
        *_user("sign_ins"),
        sa.Column("token_version", sa.Integer(), nullable=False),
        sa.Column("refresh_hash", sa.Text(), nullable=False),
        _created_at(),
        sa.Column("expires_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sign_ins"),
    )
    op.create_index("ix_sign_ins_user_id", "sign_ins", ["user_id"])
    op.create_index("ix_sign_ins_expires_at", "sign_ins", ["expires_at"])
    op.create_table(
        "personal_access_tokens",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        *_user("personal_access_tokens"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", ARRAY(sa.Text()), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        _created_at(),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("last_used_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_personal_access_tokens"),
        sa.UniqueConstraint("token_hash", name="uq_personal_access_tokens_token_hash"),
    )
    op.create_index("ix_personal_access_tokens_user_id", "personal_access_tokens", ["user_id"])

    kind = sa.Column("kind", sa.Text(), server_default="import-ended", nullable=False)
    op.add_column("outgoing_mails", kind)
    op.add_column("outgoing_mails", sa.Column("user_id", sa.BigInteger(), nullable=True))
    op.add_column("outgoing_mails", sa.Column("link_id", sa.Uuid(), nullable=True))
    op.add_column("outgoing_mails", sa.Column("address", sa.Text(), nullable=True))
    op.add_column(
        "outgoing_mails",
        sa.Column("detail", JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
    )
    op.add_column("outgoing_mails", _created_at())
    op.alter_column("outgoing_mails", "notification_id", nullable=True)
    op.create_foreign_key(
        "fk_outgoing_mails_user_id_users",
        "outgoing_mails",
        "users",
        ["user_id"],
        ["id"],
        ondelete="CASCADE",
    )
    op.create_foreign_key(
        "fk_outgoing_mails_link_id_account_links",
        "outgoing_mails",
        "account_links",
        ["link_id"],
        ["id"],
        ondelete="SET NULL",
    )
    op.create_check_constraint(
        op.f("ck_outgoing_mails_kind"),
        "outgoing_mails",
        "(kind = 'import-ended') = (notification_id IS NOT NULL)",
    )
    op.create_index("ix_outgoing_mails_user_id", "outgoing_mails", ["user_id"])
    op.create_index("ix_outgoing_mails_link_id", "outgoing_mails", ["link_id"])
    op.create_index(
        "ix_outgoing_mails_address_lower", "outgoing_mails", [sa.text("lower(address)")]
    )


def downgrade() -> None:
    op.execute("DELETE FROM outgoing_mails WHERE notification_id IS NULL")
    for index in ("address_lower", "link_id", "user_id"):
        op.drop_index(f"ix_outgoing_mails_{index}", "outgoing_mails")
    op.drop_constraint(op.f("ck_outgoing_mails_kind"), "outgoing_mails")
    op.alter_column("outgoing_mails", "notification_id", nullable=False)
    for column in ("created_at", "detail", "address", "link_id", "user_id", "kind"):
        op.drop_column("outgoing_mails", column)
    for table in ("personal_access_tokens", "sign_ins", "account_links"):
        op.drop_table(table)
