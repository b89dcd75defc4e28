"""What the daemon owes to the machine it runs on: systemd's signals, its watchdog, and the local control socket."""

from smartcam.service.control import ControlServer, ask, socket_path
from smartcam.service.folders import runtime_folder, state_folder
from smartcam.service.watchdog import Watchdog

__all__ = ["ControlServer", "Watchdog", "ask", "runtime_folder", "socket_path", "state_folder"]
