"""The stand-ins of the outside services; nothing here is shared with the clients."""
