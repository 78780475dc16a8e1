#!/usr/bin/env python3
"""Does one build of foreshock answer as another does? Runs both on everything below fixtures/ and compares.

usage: tests/compare/builds.py OLD NEW

OLD and NEW are two binaries; run it from the top of the repository, whose fixtures, rules and scenarios are used. The JSON
documents of replay, diff, check and inspect must be equal value by value (the `seconds` of check apart), exit codes too, and
what convert writes must be equal byte for byte. Sentences meant for people may differ: each changed sentence is listed once.
Of tune the proposals must be equal; whatever else differs in its document is listed.
Exit code 1 when anything differs that must not.
"""

import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# Keys of the documents whose texts are written for people.
SENTENCES = {"text", "message", "reason_text", "explanation", "hint", "remedy", "detail", "note", "notes", "warnings",
             "sentence", "why", "description", "help", "title", "said", "problem", "failure", "summary", "remark"}


def run(binary, arguments):
    done = subprocess.run([binary, *arguments], capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr


def lines_as_documents(output):
    text = output.decode()
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines() if line]


def differences(old, new, path=""):
    """Yields (path, old, new) for every value that differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in list(old) + [k for k in new if k not in old]:
            yield from differences(old.get(key, "(absent)"), new.get(key, "(absent)"), f"{path}.{key}")
        if list(old) != list(new) and set(old) == set(new):
            yield path, f"keys in the order {list(old)}", f"{list(new)}"
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (a, b) in enumerate(zip(old, new)):
            yield from differences(a, b, f"{path}[{i}]")
    elif old != new or type(old) is not type(new):
        yield path, old, new


def is_sentence(path, old, new):
    key = path.rsplit(".", 1)[-1].split("[")[0]
    return isinstance(old, str) and isinstance(new, str) and (key in SENTENCES or " " in old)


def without_seconds(document):
    if isinstance(document, dict):
        return {k: without_seconds(v) for k, v in document.items() if k != "seconds"}
    return [without_seconds(v) for v in document] if isinstance(document, list) else document


def commands():
    recordings = sorted(str(p) for p in Path("fixtures/recordings").glob("*.gz"))
    oracle = sorted(str(p) for p in Path("fixtures/oracle/recordings").glob("*") if p.suffix in (".gz", ".jsonl"))
    packages = [str(p) for p in sorted(Path("fixtures/packages").iterdir()) if p.is_dir()]
    for recording in recordings + oracle:
        yield ["inspect", "--format", "json", recording]
        yield ["replay", "--format", "json", recording]
        yield ["replay", "--format", "jsonl", recording]
        yield ["replay", "--format", "json", "--timestamps", "arrival", recording]
        yield ["replay", "--format", "json", "--series", "merge", "--counters", "increase", recording]
        yield ["replay", "--format", "json", "--rules", "rules/python", "--window-scale", "0.1", recording]
        for package in packages:
            yield ["replay", "--format", "json", "--rules", package, recording]
        yield ["diff", "--format", "json", "--old", "builtin:python", "--new", "fixtures/packages/python", recording]
        for form in ("own", "own-raw", "proto", "jsonl"):
            yield ["convert", "--form", form, recording]
        yield ["convert", "--form", "jsonl", "--from", "+1m", "--to", "+5m", "--metric", "process.*", recording]
    for name in sorted(Path("fixtures/definitions").glob("*.json")):
        for recording in recordings[:3]:
            yield ["replay", "--format", "json", "--rules", str(name), recording]
    for case in sorted(Path("fixtures/oracle/cases").iterdir()):
        rules = [str(p) for p in [case / "events"] if p.exists()]
        inputs = sorted(str(p) for p in case.glob("input*")) if case.is_dir() else []
        for given in inputs:
            yield ["inspect", "--format", "json", given]
            for rule in rules or ["builtin:python"]:
                yield ["replay", "--format", "json", "--rules", rule, given]
    yield ["check", "--format", "json", "rules", "tests/scenarios"]
    yield ["check", "--format", "json", "--mutate", "--coverage", "rules"]
    for recording in recordings[:8]:
        yield ["tune", "--format", "json", recording]
    yield ["tune", "--format", "json", "--bad", "fixtures/recordings/fast_leak.jsonl.gz",
           "fixtures/recordings/healthy_web.jsonl.gz"]


def compare(old, new, arguments, folder):
    """What differs: a list of (kind, text)."""
    found = []
    if arguments[0] == "convert":
        outputs = []
        for number, binary in enumerate((old, new)):
            path = Path(folder) / f"{number}-{abs(hash(tuple(arguments)))}"
            code, _, _ = run(binary, [*arguments, "-o", str(path)])
            outputs.append((code, path.read_bytes() if path.exists() else None))
            path.unlink(missing_ok=True)
        return [] if outputs[0] == outputs[1] else [("FAULT", "the recordings differ")]
    (code, out, _), (other, again, _) = run(old, arguments), run(new, arguments)
    if code != other:
        found.append(("FAULT", f"exit code {code}, now {other}"))
    if not out and not again:
        return found + ([("empty", f"exit code {code}")] if code == 0 else [])
    try:
        before, after = (without_seconds(lines_as_documents(o)) for o in (out, again))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        return [("FAULT", f"no document: {error}")]
    for path, a, b in differences(before, after):
        if is_sentence(path, a, b):
            found.append(("sentence", f"{a}\n      -> {b}"))
        elif arguments[0] == "tune" and "propos" not in path:
            found.append(("tune", f"{path}: {a!r} -> {b!r}"))
        else:
            found.append(("FAULT", f"{path}: {a!r} -> {b!r}"))
    return found


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    old, new = (str(Path(p).resolve()) for p in sys.argv[1:])
    every = list(commands())
    sentences, faults, listed, empty = {}, 0, 0, 0
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda arguments: compare(old, new, arguments, folder), every)
        for arguments, found in zip(every, results):
            for kind, text in found:
                if kind == "sentence":
                    sentences.setdefault(text, " ".join(arguments))
                elif kind == "empty":
                    empty += 1
                else:
                    print(f"{kind}: foreshock {' '.join(arguments)}\n  {text}")
                    faults += kind == "FAULT"
                    listed += kind == "tune"
    for sentence, where in sentences.items():
        print(f"sentence: foreshock {where}\n      {sentence}")
    print(f"{len(every)} commands: {faults} faults, {len(sentences)} changed sentences, {listed} other differences of tune, "
          f"{empty} without output")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
