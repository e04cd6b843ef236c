"""The search API's operations, a file a resource."""
