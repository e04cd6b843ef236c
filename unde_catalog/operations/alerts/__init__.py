"""What operators are told when something fails: one notice for one cause, sent to a webhook or by mail."""
