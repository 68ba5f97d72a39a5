"""Faults: injected, seen in force, taken back, seen gone."""

import os
import time
from typing import Any, Dict, List, Optional, Union

from chaoslib.exceptions import ActivityFailed

from chaosbulkhead import lab

__all__ = ["inject", "revert", "revert_all"]

_EFFECTIVE = ("active", "reverted", "expired")
_GONE = ("reverted", "expired", "refused", "failed", "not_effective")


def _chaos_id() -> str:
    """A UUID of version 7, so that the fault has a name before it happens (RFC 9562, 5.7)."""
    value = int(time.time() * 1000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0b11 << 62) | 0b10 << 62
    digits = f"{value:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def inject(
    fault: Dict[str, Any],
    target: Any = None,
    targets: Optional[List[Any]] = None,
    ttl: Union[str, float] = "60s",
    id: Optional[str] = None,
    blast_radius: Optional[Dict[str, Any]] = None,
    labels: Optional[Dict[str, str]] = None,
    approval: Optional[str] = None,
    configuration: Optional[Dict[str, Any]] = None,
) -> Dict[str, Any]:
    """
    Inject a fault and wait until it was seen in force. `ttl` is a text with units, or seconds; the
    fault ends by itself when it is over. `labels` are those of `target`; a target of production needs
    the id of an `approval` by somebody else. Raises :exc:`ActivityFailed` if it did not take hold.
    """
    if (target is None) == (targets is None):
        raise ActivityFailed("a fault has either `target` or `targets`")
    if targets is not None and labels:
        raise ActivityFailed("of several `targets`, each has `labels` of its own")
    order = {"id": id or _chaos_id(), "fault": fault}
    order["ttl"] = ttl if isinstance(ttl, str) else int(ttl * 1000)
    if targets is None:
        order["target"] = target
        order["labels"] = labels or {}
    else:
        order["targets"] = targets
        order["blast_radius"] = blast_radius
    if approval:
        order["approval"] = approval
    # Remembered first: what comes of it, it has to be taken back.
    lab.injected.append(order["id"])
    try:
        answer = lab.ask("POST", "/v1/inject", order, configuration)
    except lab.TurnedAway:
        lab.injected.remove(order["id"])
        raise
    victims = [one for one in answer.get("injections", [answer]) if "id" in one]
    if victims:
        lab.injected.remove(order["id"])
        begun = [one["id"] for one in victims if one.get("state") != "refused"]
        lab.injected.extend(one for one in begun if one not in lab.injected)
    if answer["state"] not in _EFFECTIVE:
        raise ActivityFailed(f"the lab says {answer}")
    return answer


def revert(id: str, configuration: Optional[Dict[str, Any]] = None) -> List[Dict[str, Any]]:
    """
    Take a fault back and wait until it was seen gone. Raises :exc:`ActivityFailed` if it may still be
    in force.
    """
    answer = lab.ask("DELETE", lab.injection(id), None, configuration)
    if answer["state"] not in _GONE:
        raise ActivityFailed(f"the lab says {answer}")
    return [answer]


def revert_all(configuration: Optional[Dict[str, Any]] = None) -> List[Dict[str, Any]]:
    """
    Take back all that this run injected. One that cannot be taken back does not keep the others from
    being tried.
    """
    answers, failures = [], []
    for chaos_id in list(lab.injected):
        try:
            answers.extend(revert(chaos_id, configuration))
        except ActivityFailed as failure:
            failures.append(f"{chaos_id}: {failure}")
    if failures:
        raise ActivityFailed("; ".join(failures))
    return answers
