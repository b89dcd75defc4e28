"""What the child does by itself; its work for a parent is tested with the accelerator."""

from __future__ import annotations

import os
import socket
import subprocess
import sys


def child(parent_pid: int, theirs: socket.socket) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "smartcam.detect.child", str(theirs.fileno()), str(parent_pid)]
    return subprocess.Popen(command, pass_fds=[theirs.fileno()], stderr=subprocess.PIPE)


def test_a_child_whose_parent_died_before_it_could_ask_for_the_signal_ends_at_once() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, child(1 if os.getpid() != 1 else 2, theirs) as process:
        assert process.wait(10) == 0


def test_a_parent_that_hangs_up_without_a_job_ends_the_child() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, child(os.getpid(), theirs) as process:
        theirs.close()
        ours.close()

        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""
