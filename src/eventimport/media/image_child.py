"""The process that decodes images: requests come in over a socket, answers go back.

Run as `python -m eventimport.media.image_child FD MEMORY TIMEOUT` by `image_processes`. It imports
Pillow and the image code, nothing of the web service. It ends when its parent closes the socket or
dies, also in the middle of an image.
"""

import json
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final

from eventimport.media.images import (
    ImageLimits,
    ImageRefusedError,
    ImageSize,
    ProcessedImage,
    inspect_image,
    make_sizes,
    process_image,
)

HEAD: Final = struct.Struct(">I")
"""Length of the JSON part of a message; its `blobs` are the lengths of what follows it."""

Message = tuple[dict[str, Any], list[bytes]]


def encode(head: Mapping[str, Any], blobs: Sequence[bytes]) -> bytes:
    """The beginning of a message; the blobs follow it as they are."""
    text = json.dumps({**head, "blobs": [len(blob) for blob in blobs]}).encode()
    return HEAD.pack(len(text)) + text


def answer(head: Mapping[str, Any], content: bytes) -> Message:
    """Do what a request asks for. A refusal is an answer, too: `refused` holds its code."""
    limits = ImageLimits(**{**head["limits"], "formats": tuple(head["limits"]["formats"])})
    sizes = {name: ImageSize(**size) for name, size in head["sizes"].items()}
    try:
        if head["clean"]:
            image = process_image(content, limits)
            made = {"": image, **make_sizes(image, sizes, limits)}
            info = None
        else:
            checked, made = inspect_image(content, limits, sizes)
            info = {name: getattr(checked, name) for name in type(checked).__slots__}
    except ImageRefusedError as error:
        return {"refused": error.code, "message": str(error)}, []
    except MemoryError:
        return {"refused": "too-much-memory"}, []
    except Exception as error:  # noqa: BLE001 - whatever a hostile image brings about
        return {"refused": "damaged", "cause": repr(error)[:500]}, []
    return {"info": info, "made": {name: _described(made[name]) for name in made}}, [
        image.data for image in made.values()
    ]


def _described(image: ProcessedImage) -> dict[str, Any]:
    return {name: getattr(image, name) for name in type(image).__slots__ if name != "data"}


def main() -> None:
    """Serve one parent until it is gone."""
    descriptor, memory, timeout = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    # The parent decides when it ends, not the terminal's Ctrl-C or a signal to the whole group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    # Not every system lets a process limit its memory; the limit of time holds there, too.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection = socket.socket(fileno=descriptor)
    requests: SimpleQueue[Message] = SimpleQueue()
    Thread(target=_receive, args=(connection, requests), daemon=True).start()
    try:
        _serve(connection, requests, timeout)
    except OSError:
        # The parent is gone; nothing is left to do.
        os._exit(0)


def _serve(connection: socket.socket, requests: SimpleQueue[Message], timeout: float) -> None:
    connection.sendall(encode({"ready": True}, []))
    while True:
        head, (content,) = requests.get()
        # Kills this process also inside of a decoder, and if the parent has stopped counting.
        signal.setitimer(signal.ITIMER_REAL, timeout)
        result, blobs = answer(head, content)
        signal.setitimer(signal.ITIMER_REAL, 0)
        connection.sendall(encode(result, blobs))
        for blob in blobs:
            connection.sendall(blob)
        del head, content, result, blobs


def _receive(connection: socket.socket, requests: SimpleQueue[Message]) -> None:
    """Read ahead, in a thread: so the end of the parent is seen while an image is decoded."""
    try:
        with connection.makefile("rb") as stream:
            while True:
                (length,) = HEAD.unpack(_exactly(stream.read(HEAD.size), HEAD.size))
                head = json.loads(_exactly(stream.read(length), length))
                requests.put((head, [_exactly(stream.read(size), size) for size in head["blobs"]]))
    finally:
        os._exit(0)


def _exactly(content: bytes, size: int) -> bytes:
    if len(content) != size:
        raise EOFError
    return content


if __name__ == "__main__":
    main()
