"""Everything on one machine: the demo, and the servers of `unde-catalog up`."""
