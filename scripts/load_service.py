"""How many requests a service answers, how long they take, and what it remembers: on this machine, with real requests.

    python scripts/load_service.py                       # 1, 8 and 64 clients, with batches and without, in turns
    python scripts/load_service.py --requests 20000      # one long run at 8 clients: errors, and memory at its quarters

A client is a connection that sends a request of one sentence, waits for its answer and sends the next. `alone` is the
same service whose batches hold one text. Service and clients share the cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

SENTENCES = [
    "Angela Merkel visited Rome on Monday and met the mayor of the city.",
    "The University of Oxford signed an agreement with Siemens in Munich last week.",
    "She said that nothing would change before the end of the year.",
    "Milo Frank, who was born in Oslo, joined the Bank of England in 1998 as an adviser.",
    "It rained in Port Alba, so the match between the two teams was put off until Sunday.",
]
CLIENTS = (1, 8, 64)


@contextmanager
def served(options: Sequence[str]) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A service of the tagger of English, and its port."""
    command = [sys.executable, "-m", "ner_lstm_crf", "serve", "en", "--port", "0", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        found = re.search(r":(\d+)/", process.stderr.readline() if process.stderr else "")
        if found is None:
            raise RuntimeError("expected the address of the service")
        yield process, int(found[1])
    finally:
        process.terminate()
        process.wait()


async def client(port: int, requests: Iterator[str], seconds: list[float], errors: list[str]) -> None:
    """Send requests until there are no more; a connection that cannot be made is tried again."""
    reader = writer = None
    for sentence in requests:
        body = json.dumps({"text": sentence}).encode()
        head = "POST /tag HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        head += f"Content-Length: {len(body)}\r\n\r\n"
        while writer is None:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
        assert reader is not None
        began = time.perf_counter()
        try:
            writer.write(head.encode() + body)
            header = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = re.search(r"content-length: (\d+)", header, re.IGNORECASE)
            answer = await reader.readexactly(int(length[1]) if length else 0)
            if " 200 " not in header.partition("\r\n")[0] or b"entities" not in answer:
                errors.append(header.partition("\r\n")[0])
        except (OSError, asyncio.IncompleteReadError) as error:
            errors.append(repr(error))
            writer = None
        seconds.append(time.perf_counter() - began)
    if writer is not None:
        writer.close()


async def load(port: int, clients: int, requests: int) -> tuple[float, list[float], list[str]]:
    """Requests a second, the seconds of each, and the errors."""
    sentences = (SENTENCES[number % len(SENTENCES)] for number in range(requests))
    seconds, errors = list[float](), list[str]()
    began = time.perf_counter()
    await asyncio.gather(*(client(port, sentences, seconds, errors) for _ in range(clients)))
    return requests / (time.perf_counter() - began), seconds, errors


def memory(process: subprocess.Popen[str]) -> float:
    """MB that a process has in memory."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) / 1000 if found else float("nan")


def main() -> None:
    """Run the load and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, help="one long run of so many")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each sample (3)")
    parser.add_argument("--turns", type=int, default=3, help="samples of each case (3)")
    parser.add_argument("--threads", default="1", help="threads of the service (1)")
    args = parser.parse_args()
    options = ["--threads", args.threads]
    if args.requests:
        with served(options) as (process, port):
            asyncio.run(load(port, 8, 500))
            for quarter in range(4):
                rate, _, errors = asyncio.run(load(port, 8, args.requests // 4))
                print(
                    f"quarter {quarter + 1}: {rate:.0f}/s, {len(errors)} errors {errors[:3]}, {memory(process):.0f} MB"
                )
        return
    with served(options) as (_, together), served([*options, "--batch-characters", "1"]) as (_, alone):
        ports = {"batches": together, "alone": alone}
        rates: dict[tuple[str, int], list[float]] = {}
        times: dict[tuple[str, int], list[float]] = {}
        for _ in range(args.turns):
            for clients in CLIENTS:
                for name, port in ports.items():
                    guess = asyncio.run(load(port, clients, 100))[0]
                    rate, seconds, errors = asyncio.run(load(port, clients, max(100, int(guess * args.seconds))))
                    if errors:
                        raise RuntimeError(f"{len(errors)} errors: {errors[:3]}")
                    rates.setdefault((name, clients), []).append(rate)
                    times.setdefault((name, clients), []).extend(seconds)
    print("| clients | service | requests/s | p50 ms | p95 ms | p99 ms |\n|--:|---|--:|--:|--:|--:|")
    for (name, clients), found in sorted(rates.items(), key=lambda item: (item[0][1], item[0][0])):
        cuts = quantiles(times[name, clients], n=100)
        cells = " | ".join(f"{1000 * cuts[at - 1]:.1f}" for at in (50, 95, 99))
        print(f"| {clients} | {name} | {median(found):.0f} | {cells} |")


if __name__ == "__main__":
    main()
