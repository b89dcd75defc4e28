"""Pictures of what happened: the best frame of each track, and when it is sent."""

from smartcam.evidence.album import Album, Candidate
from smartcam.evidence.snapshot import Mark, jpeg
from smartcam.evidence.snapshots import Snapshots

__all__ = ["Album", "Candidate", "Mark", "Snapshots", "jpeg"]
