"""The lab's HTTP API: one request, one document of JSON."""

import http.client
import json
import os
import socket
from typing import Any, Dict, Optional
from urllib.parse import quote, urlsplit

from chaoslib.exceptions import ActivityFailed

__all__ = ["TurnedAway", "ask", "injected"]

#: Longer than a lab can be told to take for an injection with all its attempts.
TIMEOUT_S = 65.0

#: Ids of what this process injected, in order.
injected = []


class TurnedAway(ActivityFailed):
    """The lab refused to do what it was asked, and remembers nothing of it."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str):
        super().__init__("lab", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _connection(configuration: Optional[Dict[str, Any]]) -> http.client.HTTPConnection:
    address = (configuration or {}).get("bulkhead_lab") or os.environ.get("BULKHEAD_LAB")
    if not address:
        raise ActivityFailed(
            "no lab was named: set `bulkhead_lab` in the configuration, or BULKHEAD_LAB"
        )
    if address.startswith("unix:"):
        return _UnixConnection(address[len("unix:") :])
    url = urlsplit(address)
    if url.scheme != "http" or not url.hostname:
        raise ActivityFailed(f"the lab's address is http://ADDR or unix:PATH, not {address}")
    return http.client.HTTPConnection(url.hostname, url.port or 80, timeout=TIMEOUT_S)


def ask(
    method: str, path: str, body: Any = None, configuration: Optional[Dict[str, Any]] = None
) -> Dict[str, Any]:
    """
    Ask the lab; an answer with a state is an answer, whatever its status. Raises
    :exc:`ActivityFailed` if there is none.
    """
    headers = {"Content-Type": "application/json", "User-Agent": "chaostoolkit-bulkhead"}
    token = os.environ.get("BULKHEAD_LAB_TOKEN")
    if token:
        headers["Authorization"] = f"Bearer {token}"
    connection = _connection(configuration)
    try:
        sent = None if body is None else json.dumps(body)
        connection.request(method, path, body=sent, headers=headers)
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        raise ActivityFailed(f"the lab does not answer: {error}")
    finally:
        connection.close()
    try:
        answer = json.loads(text)
    except ValueError:
        answer = {}
    if isinstance(answer, dict) and "state" in answer:
        return answer
    reason = answer.get("error", text) if isinstance(answer, dict) else text
    failure = TurnedAway if 400 <= response.status < 500 else ActivityFailed
    raise failure(f"the lab answered {response.status}: {reason.strip()}")


def injection(chaos_id: str) -> str:
    """The path of an injection."""
    return "/v1/injections/" + quote(chaos_id, safe="")
