"""What people look at: the front page and the pages of events. HTML, in files of this package."""

from eventimport.http.routing import Router
from eventimport.pages import account, event, front

__all__ = ["router"]

router = Router()
for _module in (front, account, event):
    router.include_router(_module.router)
