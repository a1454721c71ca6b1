"""The events API: what was imported, as JSON:API resources."""

from eventimport.http.routing import Router
from eventimport.routers.events.changing import create_changing_router
from eventimport.routers.events.creating import create_creating_router
from eventimport.routers.events.erasing import router as erasing_router
from eventimport.routers.events.existing_clients import create_client_router
from eventimport.routers.events.members import router as members_router
from eventimport.routers.events.publishing import create_publishing_router
from eventimport.routers.events.reading import create_reading_router
from eventimport.routers.events.reference_lists import create_reference_router
from eventimport.routers.events.restoring import create_restoring_router

__all__ = ["router"]

router = Router()
router.include_router(create_client_router())
router.include_router(create_creating_router())
router.include_router(create_reading_router())
router.include_router(create_changing_router())
router.include_router(create_publishing_router())
router.include_router(create_restoring_router())
router.include_router(members_router)
router.include_router(erasing_router)
router.include_router(create_reference_router())
