"""Where frames come from.

What a `source` (and likewise a `record` stream) may be:

- a video file, a picture, or a folder of pictures, which play in the order of their names;
- ``rtsp://``, ``rtsps://``, ``http://`` or ``https://``, spoken to over TCP;
- ``/dev/videoN``, with `pixel_format`, `size` and `fps`, which is never waited for in the driver;
- ``exec:COMMAND ARGUMENTS…``, any program that writes video to its stdout: H.264, H.265, MJPEG, MPEG-TS, or raw
  I420, which needs `format` and `size`. This is how GStreamer pipelines and CSI cameras come in. No shell is used.

A source that does not open within `open_timeout`, or is silent for `read_timeout`, is given up and opened again. What
hangs inside a system call (a driver, a network file system) cannot be given up: the watchdog ends that.

In reading order: `source` (what is meant), `packets` (opening it, and what comes out compressed), `arrivals` and `pace`
(when its pictures were taken, live and recorded), `session` (one attempt: frames until it ends), `reopen` (again and
again), `stream` (the worker of a camera), `picture` (the pixels of a frame). Beside them `tap` and `ring` (what comes
compressed is kept for some seconds, for clips), `record` (the larger stream), `recording` (a file, for replay) and
`still`.
"""
