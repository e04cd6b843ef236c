"""A PostgreSQL of the wheel with the settings of production, such as 1 GB of shared buffers.

The embedded server has 64 MB, too little for a big index. The measurements are in `bench_search.py`.
"""

from contextlib import AbstractContextManager

from unde_catalog.stores.embedded.binaries import find_programs
from unde_catalog_tests.support.servers import Server, server_of

_SETTINGS = {
    "shared_buffers": "1GB",
    "effective_cache_size": "3GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "256MB",
    "max_connections": "100",
    "checkpoint_completion_target": "0.9",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "dynamic_shared_memory_type": "sysv",
}


def production_like_server() -> AbstractContextManager[Server]:
    """Run the server while the context lasts."""
    return server_of(find_programs(18), _SETTINGS)
