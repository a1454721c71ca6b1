"""Objects in a bucket of Google Cloud Storage, through its S3-interoperable XML API.

docs/decisions/ tells why not through a client of its own.
"""

from eventimport.storage.config import GCSConfig, S3Config
from eventimport.storage.s3 import S3Storage


def create_gcs_storage(config: GCSConfig) -> S3Storage:
    """The S3 backend, set up as the XML API wants it: HMAC keys, path style."""
    return S3Storage(
        S3Config(
            bucket=config.bucket,
            region=config.region,
            endpoint_url=config.endpoint_url,
            access_key=config.access_key,
            secret_key=config.secret_key,
            path_style=True,
            part_size=config.part_size,
            parts_in_flight=config.parts_in_flight,
            public_base_url=config.public_base_url,
        ),
        name="gcs",
    )
