import http.server
import json
import os
import threading
import unittest
import uuid

from chaoslib.exceptions import ActivityFailed
from chaoslib.experiment import ensure_experiment_is_valid, run_experiment

from chaosbulkhead import actions, lab, probes


class Lab(http.server.BaseHTTPRequestHandler):
    """A lab that keeps states in memory; `server.answers` may give another answer to a path."""

    def do(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or "null")
        self.server.asked.append((self.command, self.path, body, dict(self.headers)))
        status, answer = self.server.answers.get(self.path) or self.usual(body)
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def usual(self, body):
        states = self.server.states
        if self.path == "/v1/inject":
            states[body["id"]] = "active"
            return 200, {"id": body["id"], "state": "active"}
        chaos_id = self.path.rsplit("/", 1)[1]
        if chaos_id not in states:
            return 404, {"error": "there is no such injection"}
        if self.command == "DELETE":
            states[chaos_id] = "reverted"
        return 200, {"id": chaos_id, "state": states[chaos_id]}

    do_GET = do_POST = do_DELETE = do

    def log_message(self, *_):
        pass


FAULT = {"gateway": {"kill_worker": {"worker": 0}}}
TARGET = {"gateway": {"admin": "127.0.0.1:9901"}}


class LabTest(unittest.TestCase):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Lab)
        self.server.asked, self.server.answers, self.server.states = [], {}, {}
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.configuration = {"bulkhead_lab": f"http://127.0.0.1:{self.server.server_port}"}
        lab.injected.clear()

    def tearDown(self):
        self.server.shutdown()
        self.server.server_close()

    def test_a_fault_has_its_id_before_it_happens_and_is_taken_back(self):
        answer = actions.inject(FAULT, TARGET, ttl=1.5, configuration=self.configuration)
        method, path, order, _ = self.server.asked[0]
        self.assertEqual((method, path), ("POST", "/v1/inject"))
        self.assertEqual((order["fault"], order["target"], order["ttl"]), (FAULT, TARGET, 1500))
        self.assertEqual(uuid.UUID(order["id"]).version, 7)
        self.assertEqual(answer["id"], order["id"])
        self.assertEqual(probes.in_force(self.configuration), 1)
        self.assertEqual(actions.revert_all(self.configuration)[0]["state"], "reverted")
        self.assertEqual(probes.in_force(self.configuration), 0)
        self.assertEqual(probes.state(order["id"], self.configuration)["state"], "reverted")

    def test_what_did_not_take_hold_or_is_not_gone_is_a_failure(self):
        self.server.answers["/v1/inject"] = (422, {"id": "a", "state": "not_effective"})
        with self.assertRaisesRegex(ActivityFailed, "not_effective"):
            actions.inject(FAULT, TARGET, id="a", configuration=self.configuration)
        self.server.answers["/v1/injections/a"] = (202, {"id": "a", "state": "revert_failed"})
        with self.assertRaisesRegex(ActivityFailed, "revert_failed"):
            actions.revert_all(self.configuration)
        with self.assertRaisesRegex(ActivityFailed, "404: there is no such injection"):
            actions.revert("b", self.configuration)
        with self.assertRaisesRegex(ActivityFailed, "either"):
            actions.inject(FAULT, configuration=self.configuration)

    def test_what_the_lab_turns_away_is_not_to_be_taken_back(self):
        self.server.answers["/v1/inject"] = (422, {"error": "there is no process with pid 1"})
        with self.assertRaisesRegex(ActivityFailed, "there is no process"):
            actions.inject(FAULT, TARGET, configuration=self.configuration)
        self.server.answers["/v1/inject"] = (422, {"id": "b", "state": "refused"})
        with self.assertRaisesRegex(ActivityFailed, "refused"):
            actions.inject(FAULT, TARGET, id="b", configuration=self.configuration)
        self.assertEqual(probes.in_force(self.configuration), 0)
        self.assertEqual(actions.revert_all(self.configuration), [])
        # A lab that breaks down may have begun.
        self.server.answers["/v1/inject"] = (503, {"error": "the disk does not keep up"})
        with self.assertRaises(ActivityFailed):
            actions.inject(FAULT, TARGET, configuration=self.configuration)
        self.assertEqual(len(lab.injected), 1)

    def test_each_victim_is_taken_back(self):
        victims = [{"id": "a", "state": "active"}, {"id": "b", "state": "active"}]
        answer = {"id": "a", "state": "active", "injections": victims}
        self.server.answers["/v1/inject"] = (200, answer)
        self.server.states.update(a="active", b="active")
        targets = [{"target": "host"}, {"target": "host"}]
        actions.inject(
            FAULT, targets=targets, blast_radius={"count": 2}, configuration=self.configuration
        )
        self.assertEqual(self.server.asked[0][2]["blast_radius"], {"count": 2})
        actions.revert_all(self.configuration)
        self.assertEqual(self.server.states, {"a": "reverted", "b": "reverted"})

    def test_labels_and_approval_come_with_the_order(self):
        labels = {"environment": "production"}
        approval = "019ad2c1-6c3e-7b1a-9f00-5d0c8f1e2a3b"
        order = {"labels": labels, "configuration": self.configuration}
        actions.inject(FAULT, TARGET, approval=approval, **order)
        sent = self.server.asked[0][2]
        self.assertEqual((sent["labels"], sent["approval"]), (labels, approval))
        # What is empty is none: a variable that nobody gave a value.
        reason = "somebody else must approve this order first, with `chaos approve`"
        self.server.answers["/v1/inject"] = (403, {"error": reason})
        with self.assertRaisesRegex(ActivityFailed, "403: somebody else must approve"):
            actions.inject(FAULT, TARGET, approval="", **order)
        self.assertNotIn("approval", self.server.asked[1][2])
        with self.assertRaisesRegex(ActivityFailed, "each has `labels` of its own"):
            actions.inject(FAULT, targets=[{"target": TARGET}], blast_radius={"count": 1}, **order)

    def test_a_lab_that_is_not_there_is_told(self):
        os.environ.pop("BULKHEAD_LAB", None)
        with self.assertRaisesRegex(ActivityFailed, "no lab was named"):
            probes.state("a")
        with self.assertRaisesRegex(ActivityFailed, "does not answer"):
            probes.state("a", {"bulkhead_lab": "unix:/nonexistent"})
        with self.assertRaisesRegex(ActivityFailed, "http://ADDR or unix:PATH"):
            probes.state("a", {"bulkhead_lab": "ftp://a"})

    def test_a_token_is_sent(self):
        os.environ["BULKHEAD_LAB_TOKEN"] = "token"
        self.addCleanup(os.environ.pop, "BULKHEAD_LAB_TOKEN")
        actions.inject(FAULT, TARGET, configuration=self.configuration)
        self.assertEqual(self.server.asked[0][3]["Authorization"], "Bearer token")

    def test_an_experiment_runs_through_chaos_toolkit(self):
        provider = {"type": "python", "module": "chaosbulkhead.actions"}
        arguments = {"fault": FAULT, "target": TARGET, "ttl": "30s"}
        experiment = {
            "title": "t",
            "description": "d",
            "configuration": self.configuration,
            "method": [
                {
                    "type": "action",
                    "name": "kill",
                    "provider": {**provider, "func": "inject", "arguments": arguments},
                }
            ],
            "rollbacks": [
                {"type": "action", "name": "revert", "provider": {**provider, "func": "revert_all"}}
            ],
        }
        ensure_experiment_is_valid(experiment)
        journal = run_experiment(experiment, settings={"runtime": {}})
        self.assertEqual(journal["status"], "completed")
        self.assertEqual(journal["run"][0]["status"], "succeeded")
        self.assertEqual(journal["rollbacks"][0]["output"][0]["state"], "reverted")
        self.assertEqual(list(self.server.states.values()), ["reverted"])


if __name__ == "__main__":
    unittest.main()
