"""Workers that have been silent for too long, without waiting."""

from eventimport.jobs.recovery import Watch, recover
from eventimport.resources import Resources


async def lose_workers(resources: Resources) -> int:
    """No worker sends another heartbeat, and a recovery notices. How many tasks it took back."""
    watch = Watch()
    await recover(resources, watch, now=0.0)
    return await recover(resources, watch, now=resources.settings.heartbeat_timeout)
