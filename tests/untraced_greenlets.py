"""Coverage for code that awaits SQLAlchemy, at half of what coverage's own way costs.

SQLAlchemy runs each statement in a greenlet. Coverage's tracer does not notice the switch, and
counts lines for the wrong function afterwards. With `concurrency = greenlet` it looks up the
greenlet at every call of any function, which takes half as long as the tests themselves. Here the
tracer rests while SQLAlchemy runs.
"""

import sys
from typing import Any

import pytest
import sqlalchemy.util.concurrency


def rest_in_greenlets(patch: pytest.MonkeyPatch) -> None:
    """Measure nothing within SQLAlchemy's greenlets, until the patch is undone."""
    shim: Any = sqlalchemy.util.concurrency._concurrency_shim
    shim._initialize()

    class UntracedGreenlet(shim._AsyncIoGreenlet):  # type: ignore[misc]
        # No function is called between the two `settrace`: the tracer would miss its end.
        def switch(self, *args: Any, **kwargs: Any) -> Any:
            tracer = sys.gettrace()
            sys.settrace(None)
            try:
                return super().switch(*args, **kwargs)
            finally:
                sys.settrace(tracer)
                _resume()

        def throw(self, *args: Any) -> Any:
            tracer = sys.gettrace()
            sys.settrace(None)
            try:
                return super().throw(*args)
            finally:
                sys.settrace(tracer)
                _resume()

    patch.setattr(shim, "_AsyncIoGreenlet", UntracedGreenlet)


def _resume() -> None:
    """The tracer takes effect with the next call, which is this."""
