"""Stored objects, their links, and idempotency keys without claims.

Adopts the files that the rows before name; it asks no storage. Files that no row names stay where
they are: they are never deleted.
"""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

URL_COLUMNS: Final = {
    "events": (
        "logo_url",
        "original_image_url",
        "large_image_url",
        "thumbnail_image_url",
        "icon_image_url",
    ),
    "event_copyrights": ("logo_url",),
    "sessions": ("slides_url", "audio_url", "video_url"),
    "speakers": ("photo_url", "thumbnail_image_url", "small_image_url", "icon_image_url"),
    "sponsors": ("logo_url",),
    "tracks": ("track_image_url",),
}

_URLS: Final = r"""
    SELECT {event} AS event_id, '{table}' AS table_name, id AS row_id, '{column}' AS field,
        regexp_replace({column}, '[?#].*$', '') AS path,
        substring({column} FROM '/([0-9a-f]{{24}})(?:-[a-z-]+)?/') AS token
    FROM {table} WHERE {column} ~ '/[0-9a-f]{{24}}(-[a-z-]+)?/'
"""

ADOPT_ARCHIVES: Final = (
    """
    INSERT INTO stored_objects (storage, key, purpose, state, user_id, size, created_at, kept_at)
    SELECT archive_storage, archive_key, 'archive', 'KEPT', user_id, coalesce(archive_size, 0),
        created_at, created_at
    FROM import_jobs
    WHERE archive_storage IS NOT NULL AND archive_key IS NOT NULL
    ON CONFLICT (storage, key) DO NOTHING
    """,
    """
    INSERT INTO object_links (object_id, import_job_id)
    SELECT o.id, j.id FROM import_jobs j
    JOIN stored_objects o ON o.storage = j.archive_storage AND o.key = j.archive_key
    """,
)

ADOPT_FILES: Final = (
    r"""
    CREATE FUNCTION pg_temp.url_decode(url text) RETURNS text IMMUTABLE STRICT LANGUAGE sql AS $$
        SELECT convert_from(
            string_agg(
                CASE WHEN part[1] ~ '^%[0-9A-Fa-f]{2}$' THEN decode(substr(part[1], 2), 'hex')
                    ELSE convert_to(part[1], 'UTF8') END,
                ''::bytea ORDER BY number
            ),
            'UTF8'
        )
        FROM regexp_matches(url, '%[0-9A-Fa-f]{2}|[^%]+|%', 'g') WITH ORDINALITY AS p (part, number)
    $$
    """,
    # The media files that imports have stored, or were storing when they were interrupted. A URL
    # does not name its storage: that of a local file ends in /media/ and the key; any other file is
    # in the storage of the import's archive, or else in the one that an admin has chosen.
    r"""
    CREATE TEMPORARY TABLE files ON COMMIT DROP AS
    SELECT m.event_id, m.table_name, m.row_id, m.field, m.object_key AS key, j.user_id,
        coalesce(m.size, 0) AS size, m.outcome = 'MOVED' AS moved, k.folder,
        substring(m.object_key FROM '/([0-9a-f]{24})/[^/]*$') AS token,
        left(m.url, strpos(m.url, k.folder) - 1) AS base,
        CASE
            WHEN m.url IS NULL THEN j.archive_storage
            WHEN strpos(m.url, '/media/' || k.folder) > 0 AND j.archive_storage <> 'memory'
                THEN 'local'
            ELSE coalesce(
                nullif(j.archive_storage, 'local'),
                (SELECT value #>> '{}' FROM service_settings
                    WHERE key = 'storage-place' AND value #>> '{}' <> 'local'),
                CASE WHEN strpos(m.url, 'storage.googleapis.com') > 0 THEN 'gcs' ELSE 's3' END
            )
        END AS storage
    FROM media_items m
    JOIN import_jobs j ON j.id = m.import_job_id
    CROSS JOIN LATERAL (SELECT regexp_replace(m.object_key, '/[^/]*$', '') AS folder) k
    WHERE m.object_key IS NOT NULL AND j.archive_storage IS NOT NULL
    """,
    """
    INSERT INTO stored_objects (storage, key, purpose, state, user_id, size, kept_at)
    SELECT storage, key, 'media', CASE WHEN moved THEN 'KEPT' ELSE 'STORING' END, user_id, size,
        CASE WHEN moved THEN now() END
    FROM files
    ON CONFLICT (storage, key) DO NOTHING
    """,
    """
    INSERT INTO object_links (object_id, event_id, table_name, row_id, field)
    SELECT o.id, f.event_id, f.table_name, f.row_id, f.field FROM files f
    JOIN stored_objects o ON o.storage = f.storage AND o.key = f.key
    WHERE f.moved
    """,
    # The sizes of images have no items; rows name them, and other uses of the same files.
    r"""
    CREATE TEMPORARY TABLE named ON COMMIT DROP AS
    SELECT u.event_id, u.table_name, u.row_id, u.field, f.storage, f.user_id,
        pg_temp.url_decode(substr(u.path, length(f.base) + 1)) AS key, 'media' AS purpose
    FROM urls u JOIN files f ON f.event_id = u.event_id AND f.token = u.token
    WHERE f.moved AND starts_with(u.path, f.base || f.folder)
    """,
    r"""
    INSERT INTO named
    SELECT u.event_id, u.table_name, u.row_id, u.field, coalesce(b.storage, 'local'), r.user_id,
        pg_temp.url_decode(substring(u.path FROM 'uploads/[1-9][0-9]*/[0-9a-f]{24}/[^/]+$')),
        'upload'
    FROM urls u
    JOIN event_roles r ON r.event_id = u.event_id
    LEFT JOIN (SELECT base, min(storage) AS storage FROM files WHERE moved GROUP BY base) b
        ON starts_with(u.path, b.base || 'uploads/')
    WHERE u.path ~ ('/uploads/' || r.user_id || '/[0-9a-f]{24}/[^/]+$')
        AND (b.base IS NOT NULL OR u.path ~ '/media/uploads/[^/]+/[^/]+/[^/]+$')
    """,
    """
    INSERT INTO stored_objects (storage, key, purpose, state, user_id, kept_at)
    SELECT storage, key, purpose, 'KEPT', user_id, now() FROM named
    ON CONFLICT (storage, key) DO NOTHING
    """,
    """
    INSERT INTO object_links (object_id, event_id, table_name, row_id, field)
    SELECT DISTINCT o.id, n.event_id, n.table_name, n.row_id, n.field FROM named n
    JOIN stored_objects o ON o.storage = n.storage AND o.key = n.key
    EXCEPT SELECT object_id, event_id, table_name, row_id, field FROM object_links
    """,
    """
    INSERT INTO object_links (object_id, user_id)
    SELECT id, user_id FROM stored_objects WHERE purpose = 'upload' AND user_id IS NOT NULL
    """,
)


def upgrade() -> None:
    op.create_table(
        "stored_objects",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("storage", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="STORING", nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("size", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('STORING', 'KEPT', 'DELETING')", name=op.f("ck_stored_objects_state")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_stored_objects_user_id_users", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_stored_objects"),
        sa.UniqueConstraint("storage", "key", name="uq_stored_objects_storage_key"),
    )
    op.create_index("ix_stored_objects_user_id", "stored_objects", ["user_id", "id"], unique=False)
    op.create_table(
        "object_links",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("object_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("import_job_id", sa.Uuid(), nullable=True),
        sa.Column("event_id", sa.BigInteger(), nullable=True),
        sa.Column("table_name", sa.Text(), nullable=True),
        sa.Column("row_id", sa.BigInteger(), nullable=True),
        sa.Column("field", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "num_nonnulls(user_id, import_job_id, event_id) = 1",
            name=op.f("ck_object_links_one_use"),
        ),
        sa.ForeignKeyConstraint(
            ["object_id"], ["stored_objects.id"], name="fk_object_links_object_id_stored_objects"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_object_links_user_id_users", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["import_job_id"],
            ["import_jobs.id"],
            name="fk_object_links_import_job_id_import_jobs",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name="fk_object_links_event_id_events", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_object_links"),
    )
    for column in ("object_id", "user_id", "import_job_id", "event_id"):
        op.create_index(f"ix_object_links_{column}", "object_links", [column], unique=False)

    for statement in (*ADOPT_ARCHIVES, _urls(), *ADOPT_FILES):
        op.execute(statement)
    op.drop_column("media_items", "object_key")
    op.execute("DELETE FROM service_settings WHERE key = 'installation'")

    op.execute("DELETE FROM idempotency_keys WHERE lease_until IS NOT NULL")
    op.drop_constraint("ck_idempotency_keys_answered", "idempotency_keys", type_="check")
    op.drop_column("idempotency_keys", "lease_until")
    op.drop_column("idempotency_keys", "token")
    for name in ("fingerprint", "status", "body", "headers"):
        op.alter_column("idempotency_keys", name, nullable=False)


def _urls() -> str:
    """Makes a table of the URLs in rows that have a random part as those of our files have."""
    selects = (
        _URLS.format(table=table, column=column, event="id" if table == "events" else "event_id")
        for table, columns in URL_COLUMNS.items()
        for column in columns
    )
    return f"CREATE TEMPORARY TABLE urls ON COMMIT DROP AS {' UNION ALL '.join(selects)}"


def downgrade() -> None:
    for name in ("fingerprint", "status", "body", "headers"):
        op.alter_column("idempotency_keys", name, nullable=True)
    op.add_column(
        "idempotency_keys",
        sa.Column("token", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
    )
    op.alter_column("idempotency_keys", "token", server_default=None)
    op.add_column(
        "idempotency_keys", sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True)
    )
    op.create_check_constraint(
        "ck_idempotency_keys_answered",
        "idempotency_keys",
        "num_nonnulls(fingerprint, status, body, headers)"
        " = CASE WHEN lease_until IS NULL THEN 4 ELSE 0 END",
    )
    op.add_column("media_items", sa.Column("object_key", sa.Text(), nullable=True))
    op.execute(
        """
        UPDATE media_items m SET object_key = o.key
        FROM object_links l JOIN stored_objects o ON o.id = l.object_id
        WHERE m.outcome = 'MOVED' AND l.event_id = m.event_id AND l.table_name = m.table_name
            AND l.row_id = m.row_id AND l.field = m.field AND o.purpose = 'media'
        """
    )
    op.drop_table("object_links")
    op.drop_table("stored_objects")
