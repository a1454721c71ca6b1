"""The limits of connections and requests, and the trusted proxies."""

from ipaddress import ip_network
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt
from pydantic_settings import BaseSettings, NoDecode

from eventimport.settings.values import KIB, MIB, words


def _networks(value: Any) -> Any:
    networks = words(value)
    for network in networks:
        try:
            ip_network(network)
        except ValueError:
            raise ValueError(
                "must be IP addresses or networks such as 10.0.0.0/8, separated by commas"
            ) from None
    return networks


class HTTPSettings(BaseSettings):
    """Connections and requests."""

    max_header_bytes: PositiveInt = Field(
        16 * KIB, description="Maximum size of all headers of a request, in bytes."
    )
    max_url_bytes: PositiveInt = Field(
        8 * KIB, description="Maximum length of a URL with its query, in bytes."
    )
    max_body_bytes: PositiveInt = Field(
        MIB, description="Maximum size of a JSON body other than an uploaded image's, in bytes."
    )
    max_body_values: PositiveInt = Field(
        5000, description="Maximum number of values in a JSON body."
    )
    header_timeout: PositiveFloat = Field(
        10.0, description="Seconds that a client has to send the headers of a request."
    )
    send_timeout: PositiveFloat = Field(
        30.0,
        description="Seconds after which the service cuts off a client that does not read its"
        " response.",
    )
    max_connections: PositiveInt = Field(
        800, description="Maximum number of open connections to one process of the API."
    )
    max_event_streams: PositiveInt = Field(
        200, description="Maximum number of open event streams in one process of the API."
    )
    max_event_streams_per_user: PositiveInt = Field(
        10, description="Maximum number of open event streams of one user in one process."
    )
    event_stream_lifetime: PositiveFloat = Field(
        600.0, description="Seconds after which an event stream ends. The client may open another."
    )
    client_poll_interval: PositiveInt = Field(
        1, description="Seconds that a client should wait before it polls a task again."
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_networks)] = Field(
        (),
        description="Addresses and networks of your reverse proxies, separated by commas."
        " Only their `X-Forwarded-For` and `X-Forwarded-Proto` are trusted."
        " Default: none.",
    )
