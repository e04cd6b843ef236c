"""The staging database: all SQL lives here."""
