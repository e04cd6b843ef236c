#!/opt/unde/bin/python
"""Requests runs of every brand from the web server and ends; the daemon launches them. For the profile demo.

One by one: Dagster does not repeat a killed run of `dagster job backfill`, which stores no backfill.
"""

import sys

from dagster_graphql import DagsterGraphQLClient, DagsterGraphQLClientError

from unde_catalog.brands import BRANDS


def main() -> int:
    """Request the runs; 1 while the web server does not answer."""
    try:
        client = DagsterGraphQLClient(sys.argv[1], port_number=3000)
        for brand in BRANDS:
            client.submit_job_execution("update_catalog", tags={"dagster/partition": brand})
        for brand in (key for key, one in BRANDS.items() if one.has_stores):
            client.submit_job_execution("find_stores", tags={"dagster/partition": brand})
    except DagsterGraphQLClientError as error:
        print(error)
        return 1
    print(f"requested runs of {len(BRANDS)} brands")
    return 0


if __name__ == "__main__":
    sys.exit(main())
