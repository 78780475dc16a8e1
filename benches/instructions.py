#!/usr/bin/env python3
"""How many instructions two builds of foreshock need for the same work, by valgrind's callgrind: counts, not seconds.

usage: benches/instructions.py OLD NEW

Run it from the top of the repository. OLD and NEW are two binaries, built alike (profile `dist`). Three works are counted, each less
what it costs to start:
  replay of protobuf and of JSON   a recording of 4,000 exports less one of 2,000, over the points between them
  one small live export            a server that takes 2,000 exports of 23 points less one that takes 1,000, over 1,000;
                                   over HTTP, and over gRPC where Python's grpcio is installed
The counts of replay repeat to a few per mille, those of a server to about one per cent. Needs valgrind; the recordings are made by
`cargo bench --bench generate`.
"""

import http.client
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMITS = {"replay protobuf": 1.35, "replay JSON": 1.15, "live export, HTTP": 1.25, "live export, gRPC": 1.25}
POINTS = 23


def generate(path, entities, steps, points, *more):
    subprocess.run(["cargo", "bench", "--quiet", "--locked", "--profile", "dev", "--bench", "generate", "--", "-o", str(path),
                    "--entities", str(entities), "--steps", str(steps), "--points", str(points), *more],
                   check=True, capture_output=True)
    return path


def total(out):
    return int(re.search(r"^(?:summary|totals): (\d+)", Path(out).read_text(), re.M)[1])


def valgrind(out, command, **more):
    return ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", *command]


def replay(binary, recording, out):
    command = [binary, "replay", "-q", "--format", "json", "--fail-on", "never", "--rules", "builtin:python", str(recording)]
    done = subprocess.run(valgrind(out, command), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr.decode()[-2000:]}")
    return total(out)


def exports(path):
    data, at = Path(path).read_bytes(), 0
    while at < len(data):
        length = int.from_bytes(data[at:at + 4], "big")
        yield data[at + 4:at + 4 + length]
        at += 4 + length


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def over_http(port, payloads):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for payload in payloads:
        connection.request("POST", "/v1/metrics", payload, {"Content-Type": "application/x-protobuf"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            sys.exit(f"an export was answered with {answer.status}")
    connection.close()


def over_grpc(port, payloads):
    import grpc

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
                                   request_serializer=bytes, response_deserializer=bytes)
        for payload in payloads:
            call(payload)


def serve(binary, send, payloads, out):
    ports = {"http": free_port(), "grpc": free_port()}
    command = [binary, "serve", "-q", "--clock", "data", "--rules", "builtin:python",
               "--http", f"127.0.0.1:{ports['http']}", "--grpc", f"127.0.0.1:{ports['grpc']}"]
    server = subprocess.Popen(valgrind(out, command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", ports["http"]), 1).close()
            break
        except OSError:
            time.sleep(0.1)
    send(ports["grpc" if send is over_grpc else "http"], payloads)
    server.terminate()
    server.wait(120)
    return total(out)


def has_grpc():
    try:
        import grpc  # noqa: F401
    except ImportError:
        return False
    return True


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    builds = [str(Path(p).resolve()) for p in sys.argv[1:]]
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "counts")
        print(f"{'work':<20} {'old':>12} {'new':>12} {'new/old':>8} {'limit':>6}   instructions a point; live: an export")

        def row(name, counts):
            ratio = counts[1] / counts[0]
            if ratio > LIMITS[name]:
                missed.append(name)
            print(f"{name:<20} {counts[0]:>12,.0f} {counts[1]:>12,.0f} {ratio:>8.3f} {LIMITS[name]:>6}", flush=True)

        for name, form in (("replay protobuf", []), ("replay JSON", ["--json"])):
            files = [generate(f"{folder}/{steps}", 100, steps, 1000, *form) for steps in (40, 80)]
            points = 40 * 100 * POINTS
            row(name, [(replay(b, files[1], out) - replay(b, files[0], out)) / points for b in builds])
        payloads = list(exports(generate(f"{folder}/live", 20, 100, 0)))
        transports = [("live export, HTTP", over_http)]
        if has_grpc():
            transports.append(("live export, gRPC", over_grpc))
        else:
            print("live export, gRPC: not counted, Python's grpcio is not installed")
        for name, send in transports:
            row(name, [(serve(b, send, payloads[:2000], out) - serve(b, send, payloads[:1000], out)) / 1000 for b in builds])
    if missed:
        sys.exit(f"over the limit: {', '.join(missed)}")


if __name__ == "__main__":
    main()
