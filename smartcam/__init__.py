"""smartcam: looks at every frame on the spot, and tells what matters over MQTT."""

__version__ = "0.1.0"
