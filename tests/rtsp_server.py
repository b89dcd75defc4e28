"""A real RTSP server that plays a clip round and round: GStreamer's, in a process of Debian's own Python.

Run by `servers.rtsp_server`: ``rtsp_server.py PORT CLIP.h264 INDEX.json [USER PASSWORD]``, where the index holds the
frame interval, and the pts (in seconds) and the size of every access unit of the Annex B clip.
"""

# mypy: ignore-errors
# It runs where the types of GObject are not, and never in this test process.

import json
import sys
import threading
import time
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

LAUNCH = (
    "( appsrc name=clip is-live=true format=time caps=video/x-h264,stream-format=byte-stream,alignment=au "
    "! h264parse config-interval=-1 ! rtph264pay name=pay0 pt=96 )"
)


def units(clip: bytes, index: dict):
    """(pts in s, bytes) of every access unit, for ever."""
    start = 0.0
    while True:
        place = 0
        for pts, size in index["units"]:
            yield start + pts, clip[place : place + size]
            place += size
        start += index["interval"] * len(index["units"])


def play(source, clip: bytes, index: dict) -> None:
    began = time.monotonic()
    for n, (pts, data) in enumerate(units(clip, index)):
        time.sleep(max(0.0, began + n * index["interval"] - time.monotonic()))
        buffer = Gst.Buffer.new_wrapped(data)
        buffer.pts = int(pts * Gst.SECOND)
        if source.emit("push-buffer", buffer) != Gst.FlowReturn.OK:
            return


def main(port: str, clip_path: str, index_path: str, *login: str) -> None:
    Gst.init(None)
    clip, index = Path(clip_path).read_bytes(), json.loads(Path(index_path).read_text())
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(LAUNCH)
    factory.set_shared(True)

    def configure(_factory, media) -> None:
        source = media.get_element().get_child_by_name("clip")
        threading.Thread(target=play, args=(source, clip, index), daemon=True).start()

    factory.connect("media-configure", configure)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    if login:
        protect(server, factory, *login)
    server.get_mount_points().add_factory("/clip", factory)
    if not server.attach(None):
        sys.exit("the port is taken")
    print("ready", flush=True)  # noqa: T201 - its parent waits for this line
    GLib.MainLoop().run()


def protect(server, factory, user: str, password: str) -> None:
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", "media.factory.access", True)
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)
    factory.set_permissions(permissions)


if __name__ == "__main__":
    main(*sys.argv[1:])
