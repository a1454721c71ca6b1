"""A client of the HTTP API: signs in, sends a file to import and follows the task."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, BinaryIO
from urllib.parse import quote, urlsplit
from uuid import uuid4

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from eventimport.errors import EventImportError

FIRST_POLL_SECONDS = 0.2
SLOWEST_POLL_SECONDS = 2.0
PATIENCE_SECONDS = 60.0
"""Seconds for which the service may be unreachable while a task is watched."""

UPLOAD_TRIES = 5
SLOWEST_RETRY_SECONDS = 30.0
"""The longest pause between two attempts, even if the service asks for more."""
AWAY = frozenset({502, 503, 504})
"""The service or its proxy could not handle the request for now."""

ENDED = frozenset({"SUCCESS", "FAILURE", "REVOKED"})


class ServiceError(EventImportError):
    """The service cannot be reached, rejects the credentials, or is not this service.

    `retryable` says whether the same request may succeed a little later, and `retry_after` how many
    seconds later, if the service has said so.
    """

    def __init__(
        self,
        message: str,
        *,
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.retry_after = retry_after


class RefusedError(ServiceError):
    """The service rejected the file, or the request. The message has the reasons."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task as `GET /v1/tasks/{id}` returns it."""

    state: str
    progress: dict[str, Any]
    result: dict[str, Any]
    preview: str | None = None
    """A URL that shows the page of an event that is not published."""

    @property
    def ended(self) -> bool:
        """Whether the state is final."""
        return self.state in ENDED


class Client:
    """Talks to one service. Every method raises ServiceError."""

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        # Storing a large archive may go on after its last byte was sent.
        timeout = httpx.Timeout(30, read=300, write=120)
        try:
            self._http = httpx.Client(base_url=url, timeout=timeout, transport=transport)
        except httpx.InvalidURL as error:
            raise ServiceError(f"{url} is not a valid URL: {error}") from error

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def sign_in(self, email: str, password: str) -> None:
        """Get an access token; all later requests bear it."""
        credentials = {"email": email, "password": password}
        response = self._send("POST", "/v1/auth/session", json=credentials)
        if response.status_code != 200:
            raise ServiceError(f"Signing in as {email} failed: {_reasons(response)}")
        token = _json_object(response).get("access_token")
        self._http.headers["Authorization"] = f"Bearer {token}"

    def use_token(self, token: str) -> None:
        """Have all later requests bear a personal access token."""
        self._http.headers["Authorization"] = f"Bearer {token}"

    def upload(
        self, name: str, file: BinaryIO, source_format: str, options: Mapping[str, str]
    ) -> str:
        """Send a file to import and return its task's URL. `file` is read in small pieces;
        `options` are the route's query parameters.

        Repeats the request a few times if there is no response, or if the response asks for it. All
        use the same key, so that there is only one import.
        """
        files = {"file": (PurePath(name).name, file, "application/octet-stream")}

        def body() -> dict[str, Any]:
            file.seek(0)
            return {"files": files}

        return self._import(body, source_format, options)

    def import_url(self, source: str, source_format: str, options: Mapping[str, str]) -> str:
        """Have the service fetch a file to import; returns the task's URL. Repeats the request as
        `upload` does."""
        return self._import(lambda: {"json": {"url": source}}, source_format, options)

    def _import(
        self, body: Callable[[], dict[str, Any]], source_format: str, options: Mapping[str, str]
    ) -> str:
        """Send a request to import, and repeat it; `body` is called for each."""
        retrying = Retrying(
            retry=retry_if_exception(_is_retryable),
            stop=stop_after_attempt(UPLOAD_TRIES),
            wait=_pause,
            reraise=True,
        )
        path = f"/v1/events/import/{quote(source_format, safe='')}"
        key = str(uuid4())
        return retrying(lambda: self._import_once(path, body(), options, key))

    def _import_once(
        self, path: str, body: Mapping[str, Any], options: Mapping[str, str], key: str
    ) -> str:
        response = self._send(
            "POST", path, params=options, headers={"Idempotency-Key": key}, **body
        )
        if response.status_code in {400, 413, 415, 422}:
            raise RefusedError(f"The service rejected the file: {_reasons(response)}")
        task_url = _json_object(response).get("task_url") if response.status_code == 202 else None
        if not isinstance(task_url, str):
            raise ServiceError(
                f"The upload failed: {_reasons(response)}",
                retryable=response.status_code in AWAY,
                retry_after=_retry_after(response),
            )
        return task_url

    def fetch_media(self, job_id: str) -> str:
        """Have the service fetch what an import has not stored; returns the task's URL."""
        response = self._send("POST", f"/v1/import-jobs/{quote(job_id, safe='')}/fetch-media")
        if response.status_code in {404, 409}:
            raise RefusedError(_reasons(response))
        task_url = _json_object(response).get("task_url") if response.status_code == 202 else None
        if not isinstance(task_url, str):
            raise ServiceError(f"The media files cannot be fetched: {_reasons(response)}")
        return task_url

    def export(self, event: str, export_format: str) -> str:
        """Have the service export an event; returns the task's URL."""
        path = f"/v1/events/{quote(event, safe='')}/export/{quote(export_format)}"
        response = self._send("GET", path)
        if response.status_code in {404, 422}:
            raise RefusedError(_reasons(response))
        task_url = _json_object(response).get("task_url") if response.status_code == 202 else None
        if not isinstance(task_url, str):
            raise ServiceError(f"The event cannot be exported: {_reasons(response)}")
        return task_url

    def download(self, url: str, file: BinaryIO, on_size: Callable[[int, int], None]) -> None:
        """Write an exported file. `on_size` gets the bytes so far, and those of the whole file.

        If the connection breaks, the download goes on where it was, a few times.
        """
        # The service may be reached at another address than its public one.
        path = urlsplit(url).path
        retrying = Retrying(
            retry=retry_if_exception(_is_retryable),
            stop=stop_after_attempt(UPLOAD_TRIES),
            wait=_pause,
            reraise=True,
        )
        retrying(self._download_rest, path, file, on_size)

    def _download_rest(
        self, path: str, file: BinaryIO, on_size: Callable[[int, int], None]
    ) -> None:
        start = file.tell()
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        try:
            with self._http.stream("GET", path, headers=headers) as response:
                if response.status_code not in {200, 206}:
                    response.read()
                    raise ServiceError(
                        f"The file cannot be downloaded: {_reasons(response)}",
                        retryable=response.status_code in AWAY,
                        retry_after=_retry_after(response),
                    )
                if response.status_code == 200 and start:
                    start = file.seek(0)
                    file.truncate()
                total = start + int(response.headers.get("content-length", 0))
                for chunk in response.iter_bytes():
                    file.write(chunk)
                    on_size(file.tell(), total)
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise ServiceError(f"The download failed: {reason}", retryable=True) from error

    def watch(self, task_url: str) -> Iterator[Task]:
        """Yields the task after each poll. The last one has the final state."""
        pause, unreachable_since = FIRST_POLL_SECONDS, None
        while True:
            try:
                task = self._task(task_url)
            except ServiceError as error:
                unreachable_since = unreachable_since or time.monotonic()
                waited = time.monotonic() - unreachable_since
                if not error.retryable or waited > PATIENCE_SECONDS:
                    raise
            else:
                unreachable_since = None
                yield task
                if task.ended:
                    return
            time.sleep(pause)
            pause = min(pause * 1.2, SLOWEST_POLL_SECONDS)

    def preview(self, identifier: str) -> str | None:
        """A URL that shows the event's page for a while, without signing in; None if the service
        gives none."""
        response = self._send("POST", f"/v1/events/{quote(identifier, safe='')}/preview")
        path = _json_object(response).get("url") if response.status_code == 200 else None
        return str(self._http.base_url.join(path)) if isinstance(path, str) else None

    def _task(self, task_url: str) -> Task:
        response = self._send("GET", task_url)
        if response.status_code != 200:
            raise ServiceError(
                f"The task cannot be read: {_reasons(response)}",
                retryable=response.status_code == 429 or response.status_code >= 500,
            )
        body = _json_object(response)
        return Task(str(body.get("state")), body.get("progress") or {}, body.get("result") or {})

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **request)
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise ServiceError(
                f"{self._http.base_url} cannot be reached: {reason}", retryable=True
            ) from error


def _json_object(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ServiceError(
            f"{response.url} did not return a JSON object (status {response.status_code})."
        )
    return body


def _reasons(response: httpx.Response) -> str:
    try:
        errors = _json_object(response)["errors"]
        return "; ".join(str(error["detail"]) for error in errors)
    except (ServiceError, KeyError, TypeError):
        return f"status {response.status_code} from {response.url}"


def _is_retryable(error: BaseException) -> bool:
    return isinstance(error, ServiceError) and error.retryable


def _pause(state: RetryCallState) -> float:
    """Seconds until the next attempt: those that the service asks for, else longer each time."""
    error = _error_of(state)
    asked = error.retry_after if error is not None else None
    pause = 2.0 ** (state.attempt_number - 1) if asked is None else asked
    return min(pause, SLOWEST_RETRY_SECONDS)


def _error_of(state: RetryCallState) -> ServiceError | None:
    error = state.outcome.exception() if state.outcome else None
    return error if isinstance(error, ServiceError) else None


def _retry_after(response: httpx.Response) -> float | None:
    given = response.headers.get("Retry-After", "")
    return float(given) if given.isdecimal() else None
