"""Work that is asked for by many at the same time, and cheaper if it is done together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

_Asked = TypeVar("_Asked")
_Result = TypeVar("_Result")


@dataclass(eq=False, slots=True)
class _Request(Generic[_Asked, _Result]):
    asked: _Asked
    done: asyncio.Future[_Result]


class Groups(Generic[_Asked, _Result]):
    """Runs `work` for what is asked for: the first request at once, and those that come meanwhile
    together, at most `most`, as soon as it has ended. There is no wait for more.

    `work` returns a result or an exception for each, in their order. If it raises, all get that.
    """

    def __init__(
        self,
        work: Callable[[Sequence[_Asked]], Awaitable[Sequence[_Result | Exception]]],
        *,
        most: int,
    ) -> None:
        self._work = work
        self._most = most
        self._waiting: list[_Request[_Asked, _Result]] = []
        self._running: asyncio.Task[None] | None = None

    async def ask(self, asked: _Asked) -> _Result:
        """The result for one request. Raises its exception.

        If the caller is cancelled, the request is withdrawn; if its group runs already, the
        cancellation waits for the end of the group.
        """
        request = _Request(asked, asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        try:
            return await asyncio.shield(request.done)
        except asyncio.CancelledError:
            if request in self._waiting:
                self._waiting.remove(request)
            elif not request.done.done():
                await asyncio.wait((request.done,))
            if request.done.done() and not request.done.cancelled():
                request.done.exception()  # It is not waited for any more.
            raise

    async def _run(self) -> None:
        try:
            while group := self._waiting[: self._most]:
                del self._waiting[: self._most]
                try:
                    results = await self._work([request.asked for request in group])
                except Exception as error:  # noqa: BLE001 - those who have asked raise it
                    results = [error] * len(group)
                except BaseException:
                    for request in group:
                        request.done.cancel()
                    raise
                for request, result in zip(group, results, strict=True):
                    if isinstance(result, Exception):
                        request.done.set_exception(result)
                    else:
                        request.done.set_result(result)
        finally:
            self._running = None
            for request in self._waiting:
                request.done.cancel()
            self._waiting.clear()
