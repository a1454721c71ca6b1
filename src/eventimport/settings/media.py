"""How the media files of an import are fetched, checked and stored."""

from dataclasses import replace
from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt, field_validator
from pydantic_settings import BaseSettings, NoDecode

from eventimport.media.fetch import FetchLimits
from eventimport.media.image_processes import ImageProcessesConfig
from eventimport.media.images import ImageLimits, ImageSize, ImageSizes
from eventimport.media.sources import ImportFetchLimits
from eventimport.media.transfer import TransferConfig
from eventimport.settings.files import FileSettings
from eventimport.settings.values import GIB, MIB

Words = Annotated[tuple[str, ...], NoDecode]
"""Words with commas between them."""


class MediaSettings(FileSettings, BaseSettings):
    """Media files and images."""

    media_at_once: PositiveInt = Field(
        4, description="Number of files of an archive that one import reads at the same time."
    )
    media_batch: PositiveInt = Field(
        32, description="Number of an import's media files that are stored and recorded together."
    )
    max_media_bytes: PositiveInt = Field(
        512 * MIB, description="Maximum size of a media file other than an image, in bytes."
    )
    max_stored_bytes_per_import: PositiveInt = Field(
        4 * GIB,
        description="Maximum size of all media files that one import stores, in bytes. A file"
        " that several records name counts once. Further files are reported, and"
        " not stored.",
    )
    max_image_pixels: PositiveInt = Field(
        50_000_000,
        description="Maximum pixels of an image. Decoding needs up to 12 bytes a pixel, so"
        " IMAGE_PROCESS_MEMORY_BYTES must be at least 16 times this number.",
    )
    keep_image_metadata: bool = Field(
        False,
        description="Whether the images of an import keep their metadata: where, when and by which"
        " camera they were made. Without it, the service removes the metadata; the pixels stay.",
    )
    image_formats: Words = Field(
        ("PNG", "JPEG", "WEBP", "GIF"),
        description="Accepted image formats, separated by commas.",
    )
    svg_uploads: bool = Field(
        False,
        description="Whether to accept uploaded SVG images. They are stored as PNG. SVG"
        " images of archives are always accepted.",
    )
    image_processes: PositiveInt = Field(
        2,
        description="Number of child processes that decode images, for the API and for each worker."
        " They start when the first image arrives. Uploads of one user leave one of them free.",
    )
    image_process_memory_bytes: int = Field(
        GIB,
        ge=128 * MIB,
        description="Maximum memory of one image process, in bytes. An image that needs more is"
        " rejected. See MAX_IMAGE_PIXELS.",
    )
    image_timeout: PositiveFloat = Field(
        30.0,
        description="Maximum time to decode one image and make its sizes, in seconds. Then its"
        " process is killed, and the image is rejected.",
    )
    image_size_large: str = Field(
        "1300x500", description="Maximum size of the large version, as `WIDTHxHEIGHT`."
    )
    image_size_thumbnail: str = Field("500x500", description="The same for thumbnails.")
    image_size_small: str = Field("75x75", description="The same for the small version.")
    image_size_icon: str = Field("35x35", description="The same for icons.")
    fetch_media: bool = Field(
        True, description="Whether to fetch and store the media files that an archive links to."
    )
    fetch_redirects: int = Field(5, ge=0, description="Maximum number of redirects of one link.")
    fetch_timeout: PositiveFloat = Field(
        60.0, description="Maximum time to wait for the server during one fetch, in seconds."
    )
    fetch_total_timeout: PositiveFloat = Field(
        300.0,
        description="Maximum time that one import spends on linked media files, in seconds. Then"
        " the import ends, and reports the files that are missing.",
    )
    fetch_min_bytes_per_second: PositiveInt = Field(
        1024,
        description="Minimum speed of a fetch after its first 10 seconds, in bytes per second.",
    )
    max_fetches_per_import: PositiveInt = Field(
        4_000,
        description="Maximum number of requests for linked media files in one import,"
        " including redirects.",
    )
    max_fetches_per_host: PositiveInt = Field(
        2_000, description="The same for each host that an import links to."
    )
    fetches_at_once: PositiveInt = Field(
        8, description="Maximum number of fetches that one import runs at the same time."
    )
    fetches_at_once_per_host: PositiveInt = Field(
        4, description="The same for each host that an import links to."
    )
    fetch_failures_per_host: PositiveInt = Field(
        5,
        description="Failures in a row after which an import fetches nothing more from a host.",
    )
    import_from_urls: bool = Field(
        True,
        description="Whether clients may name the URL of a file to import, instead of sending it.",
    )
    url_imports_at_once: PositiveInt = Field(
        8,
        description="Maximum number of files to import that one API process fetches at the same"
        " time.",
    )
    fetch_allowed_hosts: Words = Field(
        (),
        description="Hosts, addresses and networks (CIDR) inside your own network from which"
        " media files and files to import may be fetched, separated by commas. All others must be"
        " public.",
    )

    @field_validator("image_formats", "fetch_allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(word.strip() for word in value.split(",") if word.strip())
        return value

    @field_validator("image_formats", mode="after")
    @classmethod
    def _known_formats(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        formats = tuple(name.upper() for name in value)
        ImageLimits(formats=formats)
        return formats

    @field_validator("max_image_pixels", mode="after")
    @classmethod
    def _possible_pixels(cls, value: int) -> int:
        ImageLimits(max_pixels=value)
        return value

    @field_validator("fetch_allowed_hosts", mode="after")
    @classmethod
    def _known_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        FetchLimits(allow_list=value)
        return value

    @field_validator(
        "image_size_large", "image_size_thumbnail", "image_size_small", "image_size_icon"
    )
    @classmethod
    def _two_numbers(cls, value: str) -> str:
        _size(value)
        return value

    @property
    def fetch_limits(self) -> FetchLimits:
        """The limits for fetching linked media files."""
        return FetchLimits(
            enabled=self.fetch_media,
            max_bytes=self.max_media_bytes,
            max_redirects=self.fetch_redirects,
            total_timeout=self.fetch_timeout,
            min_rate=self.fetch_min_bytes_per_second,
            allow_list=self.fetch_allowed_hosts,
        )

    @property
    def source_fetch_limits(self) -> FetchLimits:
        """The limits for fetching a file to import."""
        return replace(
            self.fetch_limits,
            enabled=self.import_from_urls,
            disabled="files are not imported from URLs (IMPORT_FROM_URLS is false)",
            max_bytes=self.max_archive_bytes,
            size_setting="MAX_ARCHIVE_BYTES",
            total_timeout=self.fetch_total_timeout,
        )

    @property
    def image_limits(self) -> ImageLimits:
        """Which images are accepted."""
        return ImageLimits(
            formats=self.image_formats,
            max_pixels=self.max_image_pixels,
            max_bytes=self.max_image_bytes,
            svg=self.svg_uploads,
        )

    @property
    def image_processing(self) -> ImageProcessesConfig:
        """The child processes that decode images."""
        return ImageProcessesConfig(
            processes=self.image_processes,
            timeout=self.image_timeout,
            memory_bytes=self.image_process_memory_bytes,
        )

    @property
    def image_sizes(self) -> ImageSizes:
        """The sizes that are made: of the event's image, of speakers' and of uploaded ones."""
        large, thumbnail = _size(self.image_size_large), _size(self.image_size_thumbnail)
        small, icon = _size(self.image_size_small), _size(self.image_size_icon)
        return ImageSizes(
            event={"large": large, "thumbnail": thumbnail, "icon": icon},
            speaker={"thumbnail": thumbnail, "small": small, "icon": icon},
            upload={"large": large, "thumbnail": thumbnail, "small": small, "icon": icon},
        )

    @property
    def transfer(self) -> TransferConfig:
        """How the media files of an import are stored."""
        return TransferConfig(
            concurrency=self.media_at_once,
            batch=self.media_batch,
            max_bytes=self.max_media_bytes,
            max_stored_bytes=self.max_stored_bytes_per_import,
            fetches=ImportFetchLimits(
                max_requests=self.max_fetches_per_import,
                max_requests_per_host=self.max_fetches_per_host,
                at_once=self.fetches_at_once,
                at_once_per_host=self.fetches_at_once_per_host,
                failures_in_a_row=self.fetch_failures_per_host,
                total_timeout=self.fetch_total_timeout,
            ),
            image_limits=replace(self.image_limits, svg=True),
            image_sizes=self.image_sizes,
            keep_image_metadata=self.keep_image_metadata,
        )


def _size(value: str) -> ImageSize:
    width, _, height = value.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise ValueError("must be a width, an x and a height, such as 500x200")
    return ImageSize(width=int(width), height=int(height))
