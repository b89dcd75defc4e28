"""What outlives a power cut: the events, and what MQTT still owes of them, in one SQLite database."""

from smartcam.store.database import NAME
from smartcam.store.events import Events
from smartcam.store.leftovers import Finish, Leftover, Salvage
from smartcam.store.media import MediaFiles
from smartcam.store.outbox import DurableOutbox
from smartcam.store.reading import open_to_change, open_to_read

__all__ = [
    "NAME",
    "DurableOutbox",
    "Events",
    "Finish",
    "Leftover",
    "MediaFiles",
    "Salvage",
    "open_to_change",
    "open_to_read",
]
