"""How the media of an import are fetched, checked and moved."""

from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt, field_validator
from pydantic_settings import BaseSettings, NoDecode

from eventimport.media.fetch import FetchLimits
from eventimport.media.image_processes import ImageProcessesConfig
from eventimport.media.images import ImageLimits, ImageSize, ImageSizes
from eventimport.media.transfer import TransferConfig
from eventimport.settings.files import FileSettings
from eventimport.settings.values import GIB, MIB

Words = Annotated[tuple[str, ...], NoDecode]
"""Words with commas between them."""


class MediaSettings(FileSettings, BaseSettings):
    """Media: limits, and the sizes that are made of images."""

    media_at_once: PositiveInt = Field(4, description="Media of one import that move at once.")
    max_media_bytes: PositiveInt = Field(
        512 * MIB, description="Maximum size of a media file other than an image, in bytes."
    )
    max_image_pixels: PositiveInt = Field(
        50_000_000,
        description="Maximum pixels of an image. Decoding needs up to 12 bytes a pixel, so"
        " IMAGE_PROCESS_MEMORY_BYTES must be at least 16 times this number.",
    )
    image_formats: Words = Field(
        ("PNG", "JPEG", "WEBP", "GIF"),
        description="Accepted image formats, separated by commas.",
    )
    image_processes: PositiveInt = Field(
        2,
        description="Child processes that decode images: so many for the API, and so many for each"
        " worker. They start when the first image arrives.",
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
        True, description="Whether media that an archive links to are fetched and stored."
    )
    fetch_redirects: int = Field(5, ge=0, description="Redirects that one fetch follows.")
    fetch_timeout: PositiveFloat = Field(
        60.0, description="How long one fetch may wait for the other side in all, in seconds."
    )
    fetch_allowed_hosts: Words = Field(
        (),
        description="Hosts, addresses and networks (CIDR) inside of one's own network that media"
        " may be fetched from, with commas between them. All others must be public.",
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
        """What the fetcher holds to."""
        return FetchLimits(
            enabled=self.fetch_media,
            max_bytes=self.max_media_bytes,
            max_redirects=self.fetch_redirects,
            total_timeout=self.fetch_timeout,
            allow_list=self.fetch_allowed_hosts,
        )

    @property
    def image_limits(self) -> ImageLimits:
        """Which images are accepted."""
        return ImageLimits(
            formats=self.image_formats,
            max_pixels=self.max_image_pixels,
            max_bytes=self.max_image_bytes,
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
        """How the media of an import are moved."""
        return TransferConfig(
            concurrency=self.media_at_once,
            max_bytes=self.max_media_bytes,
            image_limits=self.image_limits,
            image_sizes=self.image_sizes,
        )


def _size(value: str) -> ImageSize:
    width, _, height = value.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise ValueError("must be a width, an x and a height, as 500x200")
    return ImageSize(width=int(width), height=int(height))
