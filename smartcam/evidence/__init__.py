"""What proves an event: its best pictures and its clip, samples of what came to none, and what is hidden in them."""

from smartcam.evidence.album import Album, Candidate
from smartcam.evidence.snapshot import Mark, jpeg
from smartcam.evidence.snapshots import Snapshots

__all__ = ["Album", "Candidate", "Mark", "Snapshots", "jpeg"]
