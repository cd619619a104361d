"""Load on `serving.server.server`, over loopback: latency, throughput, where the time goes.

    python -m benchmarks.serve MODEL_BASE [--seconds 5] [--profile]

The clients run in processes of their own, on the same cores as the server; its CPU time is read
from the system, so that both shares are known. `--profile` runs the server under cProfile and
prints what its event loop spent its time on (the model itself is computed in other threads), and
what the model takes alone.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import pstats
import signal
import subprocess
import sys
import tempfile
import time

import psutil

NAME = "model"
ROW = {"fare": 12.5, "trip_miles": 3.1, "trip_seconds": 600, "payment_type": "Credit Card",
       "company": "Flash Cab", "trip_start_hour": 18, "trip_start_day": 6, "trip_start_month": 7,
       "trip_start_timestamp": 1400269500, "pickup_community_area": 8,
       "dropoff_community_area": 32, "pickup_latitude": 41.89, "pickup_longitude": -87.63,
       "dropoff_latitude": 41.88, "dropoff_longitude": -87.62}  # fmt: skip


def example_of(row):
    """The row as a serialized tf.Example, without TensorFlow."""
    from tensorflow.core.example import example_pb2

    example = example_pb2.Example()
    for name, value in row.items():
        feature = example.features.feature[name]
        if isinstance(value, str):
            feature.bytes_list.value.append(value.encode())
        elif isinstance(value, int):
            feature.int64_list.value.append(value)
        else:
            feature.float_list.value.append(value)
    return example.SerializeToString()


async def ask_grpc(port, seconds, concurrency, latencies):
    """Asks over gRPC for some seconds; adds to `latencies`, in milliseconds."""
    import grpc.aio
    from tensorflow.core.framework import tensor_pb2, types_pb2
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, string_val=[example_of(ROW)])
    tensor.tensor_shape.dim.add(size=1)
    request = predict_pb2.PredictRequest()
    request.model_spec.name = NAME
    request.inputs["examples"].CopyFrom(tensor)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

        async def one():
            await stub.Predict(request, timeout=10)

        await _repeat(one, seconds, concurrency, latencies)


async def ask_rest(port, seconds, concurrency, latencies):
    """Asks over REST for some seconds; adds to `latencies`, in milliseconds."""
    import aiohttp

    body = json.dumps({"instances": [ROW]}).encode()
    url = f"http://127.0.0.1:{port}/v1/models/{NAME}:predict"
    async with aiohttp.ClientSession() as session:

        async def one():
            async with session.post(url, data=body) as response:
                await response.read()
                response.raise_for_status()

        await _repeat(one, seconds, concurrency, latencies)


async def _repeat(one, seconds, concurrency, latencies):
    end = time.perf_counter() + seconds

    async def client():
        while time.perf_counter() < end:
            started = time.perf_counter()
            await one()
            latencies.append((time.perf_counter() - started) * 1e3)

    await asyncio.gather(*(client() for _ in range(concurrency)))


def _client(protocol, port, seconds, concurrency, server_pid, queue):
    latencies = []
    ask = {"grpc": ask_grpc, "rest": ask_rest}[protocol]
    asyncio.run(ask(port, 1.0, concurrency, []))  # imports, connections, warm caches
    server = psutil.Process(server_pid)
    before, started = sum(server.cpu_times()[:2]), time.perf_counter()
    asyncio.run(ask(port, seconds, concurrency, latencies))
    took = time.perf_counter() - started
    queue.put((latencies, took, sum(server.cpu_times()[:2]) - before))


def measure(server_pid, protocol, port, seconds, concurrency):
    """Runs one client process; returns a row of the table."""
    queue = multiprocessing.Queue()
    arguments = (protocol, port, seconds, concurrency, server_pid, queue)
    client = multiprocessing.Process(target=_client, args=arguments)
    client.start()
    latencies, took, cpu = queue.get(timeout=seconds + 120)
    client.join()
    latencies.sort()
    picked = [latencies[int(share * (len(latencies) - 1))] for share in (0.5, 0.95, 0.99)]
    per_request = cpu / len(latencies) * 1e3
    return [protocol, concurrency, len(latencies) / took, *picked, per_request]


def main(argv=None):
    """Starts a server, loads it, prints the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.serve")
    parser.add_argument("base", help="folder above the versions")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args(argv)
    multiprocessing.set_start_method("spawn")
    with tempfile.TemporaryDirectory() as folder:
        ready, profile = os.path.join(folder, "ready.json"), os.path.join(folder, "profile")
        flags = [f"--model_name={NAME}", f"--model_base_path={arguments.base}",
                 "--rest_api_port=0", f"--ready_file={ready}"]  # fmt: skip
        how = ["-c", _PROFILED, profile] if arguments.profile else ["-m", "serving.server.server"]
        process = subprocess.Popen([sys.executable, *how, *flags])
        try:
            ports = _wait_ready(ready, process)
            print("      at once   req/s  p50 ms  p95 ms  p99 ms  server's CPU ms per request")
            for protocol in ("grpc", "rest"):
                for concurrency in (1, 8, 32):
                    port = ports[f"{protocol}_port"]
                    row = measure(process.pid, protocol, port, arguments.seconds, concurrency)
                    print("{:5} {:7} {:7.0f} {:7.2f} {:7.2f} {:7.2f} {:7.2f}".format(*row))
            memory = psutil.Process(process.pid).memory_info().rss / 2**20
            print(f"server: {memory:.0f} MB resident, {os.cpu_count()} cores on this machine")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        if arguments.profile:
            pstats.Stats(profile).sort_stats("tottime").print_stats(25)
            time_model(arguments.base)


def time_model(base):
    """Prints what the model alone takes, without any server."""
    import numpy as np

    from serving.model.servable import Servable
    from serving.versions.publish import latest_version

    version = latest_version(base)
    signature = Servable(NAME, version, os.path.join(base, str(version))).find_signature("")
    for rows in (1, 8, 32, 256):
        arrays = {signature.examples_input: np.array([example_of(ROW)] * rows, dtype=object)}
        took = []
        for _ in range(300):
            started = time.perf_counter()
            signature.run(arrays)
            took.append((time.perf_counter() - started) * 1e3)
        print(f"the model alone, {rows} rows: {sorted(took)[150]:.2f} ms")


_PROFILED = """
import cProfile, sys
path = sys.argv.pop(1)
from serving.server import server
profile = cProfile.Profile()
profile.runcall(server.main, sys.argv[1:])
profile.dump_stats(path)
"""


def _wait_ready(path, process):
    while process.poll() is None:
        if os.path.exists(path):
            with open(path) as reader:
                told = json.load(reader)
            if told["stage"] == "serving":
                return told
        time.sleep(0.05)
    raise SystemExit("the server ended before it was ready")


if __name__ == "__main__":
    main()
