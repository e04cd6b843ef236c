#!/opt/unde/bin/python
"""Requests runs of every brand from the web server and ends; the daemon launches them. For the profile demo.

One by one: Dagster does not repeat a killed run of `dagster job backfill`, which stores no backfill.
"""

import sys

from dagster_graphql import DagsterGraphQLClient, DagsterGraphQLClientError

from unde_catalog.brands import BRANDS

JOBS = ("update_catalog", "find_stores")


def main() -> int:
    """Request the runs; 1 while the web server does not answer."""
    try:
        client = DagsterGraphQLClient(sys.argv[1], port_number=3000)
        for job in JOBS:
            for brand in BRANDS:
                client.submit_job_execution(job, tags={"dagster/partition": brand})
    except DagsterGraphQLClientError as error:
        print(error)
        return 1
    print(f"requested {len(JOBS)} runs of each of {len(BRANDS)} brands")
    return 0


if __name__ == "__main__":
    sys.exit(main())
