"""What the world sees: topics and payloads (pure), the outbox, and the link to the broker.

Everything under ``smartcam/`` is UTF-8 text or JSON; bytes live under ``smartcam-media/``.
"""
