"""Runs small Python services with the real OpenTelemetry client against foreshock, and checks what it says of them.

    drive.py BINARY FOLDER

FOLDER keeps the virtual environments between runs. Two releases of the client: the newest, and 0.46b0, which many still run.
What is checked: the events (who leaks, who is busy, who is neither), over gRPC and HTTP, plain and compressed, cumulative and
delta; that nothing was refused; that a replay of the recording gives the same lines; and the exit codes of `run -- CMD`.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).parent
RULES = HERE / "rules"
SECONDS = "14"
# Windows are eight seconds long; evaluated as often as that, some runs would have no instant at which one is full.
OWN = ["--rules", RULES, "--step", "1s"]
SCOPE = "opentelemetry.instrumentation.system_metrics"
CLIENTS = {
    "newest": [
        "opentelemetry-distro",
        "opentelemetry-exporter-otlp",
        "opentelemetry-instrumentation-system-metrics",
    ],
    "0.46b0": [
        "opentelemetry-distro==0.46b0",
        "opentelemetry-exporter-otlp==1.25.0",
        "opentelemetry-instrumentation-system-metrics==0.46b0",
        "setuptools<81",  # this release still asks pkg_resources
    ],
}
GRPC = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
HTTP = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
GZIP = {"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}
DEFLATE = {"OTEL_EXPORTER_OTLP_COMPRESSION": "deflate"}
DELTA = {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta"}

began = time.monotonic()


def say(text):
    print(f"{time.monotonic() - began:6.1f} s  {text}", flush=True)


def check(holds, what, *evidence):
    if not holds:
        for text in evidence:
            print(text, file=sys.stderr)
        sys.exit(f"FAILED: {what}")


def environment(folder, name):
    """The folder with the programs of a client's release, made when it is not there."""
    packages = CLIENTS[name]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:8]
    place = folder / f"{name}-python{version}-{digest}"
    ready = place / "ready"
    if not ready.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", place], check=True)
        quiet = ["--quiet", "--disable-pip-version-check"]
        subprocess.run([place / "bin/python", "-m", "pip", "install", *quiet, *packages], check=True)
        ready.touch()
    show = [place / "bin/python", "-c", "import importlib.metadata as m; print(m.version('opentelemetry-distro'))"]
    found = subprocess.run(show, check=True, capture_output=True, text=True).stdout.strip()
    say(f"client {name}: {found}")
    return place / "bin", found


def variables(bin_folder, service, *more):
    """What a service finds in its environment; nothing of ours leads it elsewhere."""
    own = {k: v for k, v in os.environ.items() if not k.startswith("OTEL_") and not k.lower().endswith("_proxy")}
    own["PATH"] = f"{bin_folder}{os.pathsep}{own['PATH']}"
    own["OTEL_SERVICE_NAME"] = service
    # The old release names no instance.
    own["OTEL_RESOURCE_ATTRIBUTES"] = f"service.instance.id={service}-1"
    for part in more:
        own.update(part)
    return own


def command(program):
    return ["opentelemetry-instrument", "python", str(HERE / "programs" / f"{program}.py"), SECONDS]


def live(binary, folder, clients):
    """One `serve` with all services at once; then a replay of what it recorded."""
    events, record = folder / "events.jsonl", folder / "live.foreshock"
    ports = ["--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"]
    serve = [binary, "serve", *ports, *OWN, "--record", record, "--sink", f"file:{events}"]
    server = subprocess.Popen(serve, stderr=subprocess.PIPE, text=True)
    try:
        # What it thinks of the rules comes first.
        lines = iter(server.stderr.readline, "")
        addresses = (re.match(r"OTLP/gRPC on (\S+), OTLP/HTTP on (\S+)\. ", line) for line in lines)
        match = next(filter(None, addresses), None)
        check(match, "serve says where it listens")
        grpc, http = match.groups()

        def to(protocol):
            address = grpc if protocol is GRPC else http
            return {
                **protocol,
                "OTEL_METRICS_EXPORTER": "otlp",
                "OTEL_TRACES_EXPORTER": "none",
                "OTEL_LOGS_EXPORTER": "none",
                "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{address}",
                "OTEL_METRIC_EXPORT_INTERVAL": "1000",
            }

        services = [
            ("leaking", "newest", GRPC, GZIP, {}),
            ("healthy", "newest", HTTP, GZIP, {}),
            ("busy", "newest", HTTP, {}, DELTA),
            ("leaking", "0.46b0", HTTP, DEFLATE, {}),
            ("healthy", "0.46b0", GRPC, {}, {}),
            ("busy", "0.46b0", GRPC, GZIP, DELTA),
        ]
        running = []
        for program, client, protocol, compression, temporality in services:
            own = variables(clients[client], f"{program}-{client}", to(protocol), compression, temporality)
            running.append(subprocess.Popen(command(program), env=own, stderr=subprocess.PIPE, text=True))
        for (program, client, *_), process in zip(services, running):
            _, complaints = process.communicate(timeout=120)
            check(process.returncode == 0, f"{program} with {client} ends well", complaints)
            check("Failed to export" not in complaints, f"{program} with {client} could export", complaints)
        metrics = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        metrics = metrics.open(f"http://{http}/metrics", timeout=10).read().decode()
        server.send_signal(signal.SIGTERM)
        _, rest = server.communicate(timeout=30)
    finally:
        server.kill()
    check(server.returncode == 0, "serve ends well", rest)
    check("warning" not in rest, "serve has nothing to warn of", rest)
    refused = [line for line in metrics.splitlines() if "refused_total{" in line and not line.endswith(" 0")]
    check(not refused, "nothing was refused", *refused)
    for transport in ["grpc", "http"]:
        count = re.search(rf'requests_total\{{transport="{transport}",result="accepted"\}} (\d+)', metrics)
        check(count and int(count.group(1)) > 20, f"exports came over {transport}", metrics)

    log = events.read_text()
    opened = {
        (event["foreshock"]["resource"]["service.name"], event["foreshock"]["definition"])
        for event in map(json.loads, log.splitlines())
    }
    wanted = {(f"{program}-{client}", rule) for client in CLIENTS for program, rule in [("leaking", "leak"), ("busy", "busy")]}
    check(opened == wanted, "leaks and business are found, and nothing else", f"found {sorted(opened)}", f"wanted {sorted(wanted)}")
    replay = [binary, "replay", *OWN, "--format", "jsonl", record]
    again = subprocess.run(replay, capture_output=True, text=True, check=True)
    check(again.stdout == log and "may differ" not in again.stderr, "a replay of the recording gives the same lines", again.stderr)
    found = subprocess.run([binary, "inspect", "--format", "json", record], capture_output=True, text=True, check=True)
    kinds = {m["temporality"] for m in json.loads(found.stdout)["metrics"] if m["name"].endswith("cpython.cpu_time")}
    check(kinds == {"cumulative", "delta"}, "both temporalities came", str(kinds))
    say(f"serve: {len(services)} services, {len(log.splitlines())} lines of events, replay equal")


def run(binary, folder, bin_folder, client, program, protocol, more, options, code, words):
    """One `run -- CMD`."""
    own = variables(bin_folder, f"{program}-{client}", protocol, more)
    place = folder / f"{program}-{client}.foreshock"
    ended = subprocess.run(
        [binary, "run", *options, "--record", place, "--", *command(program)],
        env=own, capture_output=True, text=True, timeout=120,
    )
    shown = f"run: {program} with {client} over {' '.join([*protocol.values(), *more.values()])}"
    check(ended.returncode == code, f"{shown}: exit code {ended.returncode}, not {code}", ended.stdout, ended.stderr)
    for word in words:
        check(re.search(word, ended.stdout, re.M), f"{shown}: no /{word}/", ended.stdout, ended.stderr)
    check(place.stat().st_size > 0, f"{shown}: the evidence is there")
    say(f"{shown}: exit code {code}")


def runs(binary, folder, clients):
    shipped = ["--rules", "builtin:python", "--rules", "builtin:local", "--window-scale", "0.015", "--step", "1s",
               "--fail-on", "never"]
    one = "^2 definitions: 1 fired"
    cases = [
        ("newest", "leaking", GRPC, GZIP, OWN, 1, [one, "CRITICAL +Memory grows"]),
        ("newest", "healthy", HTTP, GZIP, OWN, 0, ["^2 definitions: 0 fired .*, 2 quiet, 0 inconclusive"]),
        ("newest", "busy", HTTP, DELTA, OWN, 1, [one, "CRITICAL +A core is used"]),
        ("0.46b0", "leaking", HTTP, {}, shipped, 0, 
         ["^  fired +memory-leak-detection", "^  quiet +high-thread-count", "^  inconclusive +memory-leak-trend"]),
        ("0.46b0", "healthy", GRPC, {}, ["--rules", "builtin:python"], 4, ["needs 4m40s of data", "^PREVIEW "]),
        ("0.46b0", "busy", GRPC, DELTA, OWN, 1, [one, "CRITICAL +A core is used"]),
    ]
    with concurrent.futures.ThreadPoolExecutor(max_workers=3) as pool:
        jobs = [pool.submit(run, binary, folder, clients[case[0]], *case) for case in cases]
        for job in jobs:
            job.result()


def main():
    binary, folder = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    found = {name: environment(folder, name) for name in CLIENTS}
    clients = {name: place for name, (place, _) in found.items()}
    check(found["0.46b0"][1] == "0.46b0", "the old release is the old one", str(found))
    with tempfile.TemporaryDirectory() as scratch:
        live(binary, pathlib.Path(scratch), clients)
        runs(binary, pathlib.Path(scratch), clients)
    say("passed")


main()
