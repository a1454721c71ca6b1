"""What people look at: the front page and the pages of events. HTML, in files of this package."""

from fastapi import APIRouter

from eventimport.pages import account, event, front

__all__ = ["router"]

router = APIRouter()
for _module in (front, account, event):
    router.include_router(_module.router)
