"""How large the managed service lets the payload of a request be."""

__all__ = ["MIB", "MOST_PAYLOAD", "PAYLOAD"]

MIB = 2**20
PAYLOAD = 6  # MiB: of an endpoint, and of batch transform where nothing else is said
MOST_PAYLOAD = 100  # MiB: of batch transform
