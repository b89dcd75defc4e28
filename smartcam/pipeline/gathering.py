"""The evidence of a running daemon: what the judge shows it becomes pictures, clips and samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from smartcam.config import Config
from smartcam.data import Event, Exhibit, Frame, Scene
from smartcam.evidence.album import Candidate
from smartcam.evidence.clips import Clips
from smartcam.evidence.samples import Samples
from smartcam.evidence.snapshots import Snapshots
from smartcam.pipeline.reporter import Reporter
from smartcam.pipeline.sensing import Sensing
from smartcam.store.retention import disk_free
from smartcam.workers import Worker

LEAST_FREE_BYTES = 8 * 2**20


class Gathering:
    """A `Witness` for the judge. Its workers last as long as the daemon; a reload only renews what they work by.

    `media_folder` is where clips grow: None where there is no disk to rely on, and then none is made.
    """

    def __init__(
        self,
        config: Config,
        reporter: Reporter,
        sensing: Sensing,
        *,
        media_folder: Path | None,
        picture_bytes: Callable[[], int],
        clip_size: Callable[[], int | None],
        new_id: Callable[[float], str],
    ) -> None:
        self.snapshots = Snapshots(
            config, reporter.snapshot, large=sensing.large, max_bytes=picture_bytes, glance=sensing.glance
        )
        cover = self.snapshots.cover
        self.samples = Samples(config, self._deliver_sample, new_id, cover=cover)
        self._clips = (
            Clips(
                config,
                media_folder,
                reporter.clip,
                packets=sensing.ring,
                reading=sensing.read,
                has_room=self._has_room,
                link_size=clip_size,
                cover=cover,
            )
            if media_folder
            else None
        )
        self._media_folder = media_folder
        self._config = config
        self._reporter = reporter

    def workers(self) -> Iterator[Worker]:
        """To be started before the judge, so that they end after it."""
        yield Worker("evidence", self.snapshots.run)
        yield Worker("samples", self.samples.run)
        if self._clips:
            yield Worker("clips", self._clips.run)

    def troubles(self) -> Iterator[str]:
        """What was not kept, one sentence each."""
        if dropped := self.snapshots.dropped:
            yield f"evidence: {dropped} pictures were given up, because more were asked for than could be made"
        if self._clips and self._clips.trouble:
            yield self._clips.trouble

    def latest(self, camera: str) -> Frame | None:
        """What a camera showed last. Of the judge's thread."""
        best = self.latest_candidate(camera)
        return best.frame if best else None

    def latest_candidate(self, camera: str) -> Candidate | None:
        """The same with what was seen in it."""
        return self.snapshots.album.best(camera, ())

    # What the judge calls, in its thread.

    def renew(self, config: Config) -> None:
        self._config = config
        self.snapshots.renew(config)
        self.samples.renew(config)
        if self._clips:
            self._clips.renew(config)

    def on_scene(self, scene: Scene) -> None:
        self.snapshots.on_scene(scene)

    def on_event(self, event: Event) -> None:
        self.snapshots.on_event(event)
        if self._clips:
            self._clips.on_event(event)

    def _has_room(self) -> bool:
        """For clips: long before the disk is full, so that deleting and what matters more still find room."""
        assert self._media_folder
        return disk_free(self._media_folder.parent) >= max(LEAST_FREE_BYTES, self._config.keep.free // 4)

    def _deliver_sample(self, exhibit: Exhibit, jpeg: bytes) -> None:
        self._reporter.sample(exhibit, jpeg, upload=self._config.sampling.upload)
