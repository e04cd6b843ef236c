"""How many runs work on a brand at once, with EXECUTOR=celery: as many as its due work and free workers allow.

Leases keep two runs from taking one product. Stages that send requests to hosts of others stay at one run a brand.
"""

from collections.abc import Mapping


def runs_of_brands(due: Mapping[str, int], in_flight: Mapping[str, int], free: int, per_run: int) -> dict[str, range]:
    """The numbers of the runs to request, by brand, those in flight not included.

    `due`: products by brand, `in_flight`: runs of it. `free`: steps that the workers could start. A brand without a
    run gets one whatever is free, as it would with one worker; what is left goes to the brands with most to do.
    """
    runs = {brand: max(in_flight.get(brand, 0), 1) for brand in due}
    free -= sum(1 for brand in due if not in_flight.get(brand))
    while free > 0:
        brand = max(due, key=lambda one: due[one] - runs[one] * per_run, default=None)
        if brand is None or due[brand] <= runs[brand] * per_run:
            break
        runs[brand] += 1
        free -= 1
    return {brand: range(in_flight.get(brand, 0) + 1, count + 1) for brand, count in runs.items()}
