"""Drives the server under test by two packages of PyPI, unchanged: toxiproxy-python, and chaostoxi, the
driver of Chaos Toolkit. Arguments: host and port of the API. Prints a line for each check."""

import socket
import sys
import threading
import time

import chaostoxi.proxy.actions as proxies
import chaostoxi.proxy.probes as probes
import chaostoxi.toxic.actions as toxics
from toxiproxy import Toxiproxy
from toxiproxy.exceptions import NotFound, ProxyExists

HOST, PORT = sys.argv[1], int(sys.argv[2])


def echo():
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(connection):
        with connection:
            while data := connection.recv(4096):
                connection.sendall(data)

    def serve():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return "127.0.0.1:%d" % listener.getsockname()[1]


def round_trip(address):
    host, port = address.rsplit(":", 1)
    start = time.monotonic()
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"ping")
        assert connection.recv(4) == b"ping", "closed"
    return time.monotonic() - start


def fails(call, kinds):
    try:
        call()
    except kinds:
        return
    raise AssertionError("it was expected to fail")


def check(name, *facts):
    assert all(facts), (name, facts)
    print("ok", name)


def python_client(upstream):
    server = Toxiproxy()
    server.update_api_consumer(HOST, PORT)
    check("python: version", server.running(), server.version().startswith(b"2."))
    proxy = server.create(name="python", upstream=upstream)
    check("python: create", proxy.enabled, round_trip(proxy.listen) < 20)
    fails(lambda: server.create(name="python", upstream=upstream), ProxyExists)
    proxy.add_toxic(type="latency", attributes={"latency": 150})
    check("python: latency", round_trip(proxy.listen) >= 0.149)
    toxic = proxy.get_toxic("latency_downstream")
    check("python: toxic", toxic.attributes == {"latency": 150, "jitter": 0}, toxic.toxicity == 1)
    proxy.destroy_toxic("latency_downstream")
    check("python: destroy a toxic", proxy.toxics() == {})
    with proxy.down():
        fails(lambda: round_trip(proxy.listen), OSError)
    check("python: down", round_trip(proxy.listen) < 20)
    server.reset()
    server.populate([{"name": "second", "upstream": upstream, "listen": "127.0.0.1:0"}])
    check("python: populate", sorted(server.proxies()) == ["python", "second"])
    server.destroy_all()
    check("python: destroy", server.proxies() == {})
    fails(lambda: proxy.destroy(), NotFound)


def chaostoxi(upstream):
    where = {"toxiproxy_url": "http://%s:%d" % (HOST, PORT)}
    host, port = upstream.rsplit(":", 1)
    proxies.create_proxy("ctk", host, int(port), "127.0.0.1", 0, configuration=where)
    address = probes.get_proxy_attribute("ctk", "listen", configuration=where)
    check("chaostoxi: create", probes.proxy_exist("ctk", configuration=where), round_trip(address) < 20)
    toxics.create_latency_toxic("ctk", "slow", 150, 0, configuration=where)
    check("chaostoxi: latency", round_trip(address) >= 0.149)
    toxics.delete_toxic("ctk", "slow", configuration=where)
    toxics.create_bandwith_degradation_toxic("ctk", "narrow", 1, configuration=where)
    proxies.reset(configuration=where)
    check("chaostoxi: reset", round_trip(address) < 20)
    proxies.disable_proxy("ctk", configuration=where)
    fails(lambda: round_trip(address), OSError)
    proxies.enable_proxy("ctk", configuration=where)
    check("chaostoxi: down and up", round_trip(address) < 20)
    proxies.delete_proxy("ctk", configuration=where)
    check("chaostoxi: delete", not probes.proxy_exist("ctk", configuration=where))


upstream = echo()
python_client(upstream)
chaostoxi(upstream)
