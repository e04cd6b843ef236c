"""PostgreSQL from a wheel, for when no database is configured."""
