"""PostgreSQL and Valkey out of wheels, for a machine that has neither.

For development and tests: `eventimport dev` and the test suite use it, nothing else does. Both
servers listen only on a free port of 127.0.0.1, and require a random password. They end with this
process, however it ends, and start again over the data that they left.
"""

from eventimport.embedded.postgres import postgres_binaries, start_postgres
from eventimport.embedded.server import EmbeddedServer, EmbeddedServerError
from eventimport.embedded.valkey import start_valkey

__all__ = [
    "EmbeddedServer",
    "EmbeddedServerError",
    "postgres_binaries",
    "start_postgres",
    "start_valkey",
]
