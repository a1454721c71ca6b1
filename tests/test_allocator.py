"""The allocator's settings."""

import os
import platform

import pytest

from eventimport.allocator import keep_freed_memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc alone has these settings")
def test_glibc_takes_the_settings() -> None:
    assert keep_freed_memory()


@pytest.mark.parametrize("error", [ValueError("no such name"), AttributeError("no confstr")])
def test_without_glibc_nothing_is_changed(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def confstr(_name: str) -> str:
        raise error

    monkeypatch.setattr(os, "confstr", confstr)
    assert not keep_freed_memory()
