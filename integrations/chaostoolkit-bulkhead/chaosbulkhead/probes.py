"""What has become of faults."""

from typing import Any, Dict, Optional

from chaosbulkhead import lab

__all__ = ["in_force", "state"]


def state(id: str, configuration: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
    """What has become of an injection: `{id, state, …}`."""
    return lab.ask("GET", lab.injection(id), None, configuration)


def in_force(configuration: Optional[Dict[str, Any]] = None) -> int:
    """How many that this run injected are in force."""
    states = [state(chaos_id, configuration)["state"] for chaos_id in lab.injected]
    return states.count("active")
