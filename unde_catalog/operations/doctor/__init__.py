"""`unde-catalog doctor`: checks every configured service with one harmless, free request."""
