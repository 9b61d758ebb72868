"""Heavy-ranker runtimes on the same weights: milliseconds a request, and how far its probabilities move.

    python -m benchmarks.ranker [--json] [--rows 1500] [--seconds 4] [--threads 1] [--shapes laptop recap_2023] [--device cpu]
                                [--only bf16 int8]

Measured: a request's rows as tensors in, probabilities of all heads out; features are built before. On another device
than the processor the way there and back counts; on one thread of it, processor time does. Runtimes take turns. The
share of peak divides by what one large bf16 matrix product reaches on the same device and threads in those turns.
Limits: random weights where a shape is no run, one process; a shared machine moves numbers by tens of percent, their
ratios by less. ONNX Runtime (``onnx``, ``onnxscript``, ``onnxruntime``) and OpenVINO (``openvino``, for int8 ``nncf``)
are measured where they are installed. "int8" rounds the weights, and activations request by request, "int8 fitted"
rounds activations by ranges that it saw: OpenVINO those of the request itself, torch those of other rows.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import importlib.util
import json
import os
import platform
import statistics
import sys
import tempfile
import time
import warnings
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch._inductor import config as inductor
from torch.utils._pytree import tree_leaves, tree_map

from components.evaluation import auc
from components.models.heavy_ranker.batch import Inputs
from components.models.heavy_ranker.int8 import Int8Ranker
from components.models.heavy_ranker.load import load_config
from components.models.heavy_ranker.model import HeavyRanker, parameter_count, to_bfloat16
from components.models.heavy_ranker.predictor import Predictor
from components.models.heavy_ranker.synthetic import World
from components.models.heavy_ranker.viewer_once import ViewerOnce

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REQUEST = 1_000_000
"""A stream of synthetic rows that no training reads."""
PEAK = "peak"
PACKAGES = ("torch", "numpy", "onnxruntime", "openvino", "nncf")


class Probabilities(torch.nn.Module):
    """The network with its sigmoid."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs):
        return self.model(Inputs(*inputs)).sigmoid()


def main() -> None:
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    results = [row for shape in arguments.shapes for row in measure_shape(shape, arguments)]
    report = {"machine": machine(arguments.threads), "rows": arguments.rows, "results": results}
    print(json.dumps(report) if arguments.json else as_text(report))


def measure_shape(shape: str, arguments: argparse.Namespace) -> Iterator[dict]:
    torch.manual_seed(0)
    device = torch.device(arguments.device)
    predictor = Predictor.load(shape) if Path(shape).is_dir() else None
    config = predictor.config if predictor else load_config(shape)
    model = HeavyRanker(config).eval()
    if predictor:
        model.load_state_dict(predictor.model.state_dict())
    rows = World(config, 0).rows(arguments.rows, REQUEST)[0]
    # Half of the columns describe the viewer, and are equal in all rows of a request.
    rows.continuous[:, : config.features.continuous // 2] = rows.continuous[
        :1, : config.features.continuous // 2
    ]
    inputs = Inputs.of(rows)
    flops = 2.0 * products(model) * arguments.rows
    with torch.inference_mode():
        exact = Probabilities(model)(*inputs).numpy()
    sample = Inputs.of(World(config, 0).rows(1024, REQUEST + 1)[0])
    ready: dict[str, Callable[[], object]] = {}
    facts: dict[str, dict] = {}
    for name, run in runtimes(model.to(device), inputs, sample, device):
        if not any(part in name for part in arguments.only):
            continue
        try:
            first = time.perf_counter()
            with contextlib.redirect_stdout(sys.stderr):  # some draw their progress there
                found = np.asarray(run())
            facts[name] = {"first_call_s": round(time.perf_counter() - first, 2), **moved(found, exact)}
            ready[name] = run
        except Exception as error:  # noqa: BLE001 - a runtime that cannot take the network is a result, not the end
            yield {"shape": shape, "runtime": name, "error": f"{type(error).__name__}: {str(error)[:120]}"}
    product = matmul(torch.bfloat16, arguments.device)
    # Processor time leaves out what a shared machine gives to others; of several threads it would be their sum.
    alone = arguments.threads == 1 and arguments.device == "cpu"
    clock = time.process_time if alone else time.perf_counter
    times = in_turns({**ready, PEAK: product}, arguments.seconds * len(ready), clock)
    peak = 2.0 * matmul_size(arguments.device) ** 3 / min(times.pop(PEAK))
    for name, spent in times.items():
        yield {
            "shape": shape,
            "parameters": parameter_count(model),
            "runtime": name,
            "ms_best": round(min(spent) * 1e3, 3),
            "ms_median": round(statistics.median(spent) * 1e3, 3),
            "runs": len(spent),
            "tflops": round(flops / min(spent) / 1e12, 3),
            "bf16_peak_tflops": round(peak / 1e12, 3),
            "share_of_bf16_peak": round(flops / min(spent) / peak, 3),
            **facts[name],
        }


def moved(found: np.ndarray, exact: np.ndarray) -> dict[str, float]:
    """How far probabilities moved, and what that costs in AUC on labels drawn from the exact ones."""
    drawn = np.random.default_rng(0).random(exact.shape) < exact
    difference = auc(drawn.ravel(), found.ravel()) - auc(drawn.ravel(), exact.ravel())
    return {"max_abs_dp": float(np.abs(found - exact).max()), "auc_difference": round(difference, 6)}


def runtimes(
    model: HeavyRanker, inputs: Inputs, sample: Inputs, device: torch.device
) -> Iterator[tuple[str, Callable[[], object]]]:
    def eager(network: Callable[..., torch.Tensor]) -> Callable[[], object]:
        def run() -> object:
            with torch.inference_mode():
                return network(*tree_map(lambda tensor: tensor.to(device), inputs)).cpu().numpy()

        return run

    rounded = to_bfloat16(copy.deepcopy(model))
    yield "torch eager fp32", eager(Probabilities(model))
    viewer = torch.zeros(inputs.continuous.shape[1] + inputs.binary.shape[1], dtype=torch.bool)
    viewer[: inputs.continuous.shape[1] // 2] = True
    yield "torch eager fp32, viewer once", eager(Probabilities(ViewerOnce(model, viewer.to(device))))
    yield "torch eager bf16 weights", eager(Probabilities(rounded))
    inductor.freezing = True
    yield "torch compiled fp32", eager(torch.compile(Probabilities(copy.deepcopy(model))))
    yield "torch compiled bf16 weights", eager(torch.compile(Probabilities(copy.deepcopy(rounded))))
    narrowed = ViewerOnce(copy.deepcopy(rounded), viewer.to(device))
    yield "torch compiled bf16, viewer once", eager(torch.compile(Probabilities(narrowed)))
    yield "torch AOT fp32", once(lambda: eager(ahead_of_time(model, inputs)))
    yield "torch AOT bf16 weights", once(lambda: eager(ahead_of_time(rounded, inputs)))
    if device.type != "cpu":
        return
    yield "torch int8 fitted, eager", once(lambda: eager(Probabilities(Int8Ranker(model, sample))))
    fitted = once(lambda: eager(Probabilities(Int8Ranker(model, sample, compiled=True))))
    yield "torch int8 fitted, compiled", fitted
    yield "torch eager int8", once(lambda: eager(Probabilities(dynamic_int8(model))))
    if installed("onnxruntime", "onnx", "onnxscript"):
        yield "ONNX Runtime fp32", once(lambda: onnx_session(model, inputs))
        yield "ONNX Runtime int8", once(lambda: onnx_session(model, inputs, int8=True))
    if installed("openvino", "onnx", "onnxscript"):
        yield "OpenVINO", once(lambda: openvino_session(model, inputs))
    if installed("openvino", "nncf", "onnx", "onnxscript"):
        yield "OpenVINO int8 fitted", once(lambda: openvino_session(model, inputs, int8=True))


def once(make: Callable[[], Callable[[], object]]) -> Callable[[], object]:
    """Calls what the first call made, so that making it is the first call's time."""
    made = cache(make)

    def run() -> object:
        return made()()

    return run


def installed(*packages: str) -> bool:
    return all(importlib.util.find_spec(package) for package in packages)


def ahead_of_time(model: HeavyRanker, inputs: Inputs) -> Callable[..., torch.Tensor]:
    """The network compiled into a package, as it would be shipped to servers without a compiler."""
    from torch._inductor import aoti_compile_and_package, aoti_load_package

    with torch.inference_mode(), tempfile.TemporaryDirectory() as folder:
        path = aoti_compile_and_package(program(model, inputs), package_path=str(Path(folder) / "ranker.pt2"))
        return aoti_load_package(path)


def dynamic_int8(model: HeavyRanker) -> torch.nn.Module:
    copied = copy.deepcopy(model)
    for layer in copied.modules():
        if isinstance(layer, torch.nn.Linear):
            layer.__class__ = torch.nn.Linear  # Quantisation knows this class and none derived from it.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.ao.quantization.quantize_dynamic(copied, {torch.nn.Linear}, torch.qint8)


def program(model: HeavyRanker, inputs: Inputs) -> torch.export.ExportedProgram:
    return torch.export.export(Probabilities(copy.deepcopy(model)).eval(), tuple(inputs))


def exported(model: HeavyRanker, inputs: Inputs, folder: str) -> Path:
    path = Path(folder) / "ranker.onnx"
    torch.onnx.export(program(model, inputs), f=path, dynamo=True, verbose=False)
    return path


def flat(inputs: Inputs) -> list[np.ndarray]:
    return [tensor.numpy() for tensor in tree_leaves(inputs)]


def openvino_session(model: HeavyRanker, inputs: Inputs, *, int8: bool = False) -> Callable[[], object]:
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        network = openvino.convert_model(exported(model, inputs, folder))
    if int8:
        import nncf

        network = nncf.quantize(network, nncf.Dataset([flat(inputs)]), subset_size=1)
    options = {"INFERENCE_NUM_THREADS": torch.get_num_threads()}
    compiled = openvino.compile_model(network, "CPU", options)
    return lambda: compiled(flat(inputs))[0]


def onnx_session(model: HeavyRanker, inputs: Inputs, *, int8: bool = False) -> Callable[[], object]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder:
        path = exported(model, inputs, folder)
        if int8:
            import onnx
            from onnxruntime.quantization import quantize_dynamic

            network = onnx.load(path)
            del network.graph.value_info[
                :
            ]  # The exporter's shapes and those that the quantiser infers differ.
            quantize_dynamic(network, path)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    return lambda: session.run(None, dict(zip(names, flat(inputs), strict=True)))[0]


def products(model: HeavyRanker) -> int:
    """Multiply-adds of the matrix products of one row."""
    return sum(m.weight.numel() for m in model.modules() if isinstance(m, torch.nn.Linear))


def matmul_size(device: str) -> int:
    return 2048 if device == "cpu" else 8192


def matmul(kind: torch.dtype, device: str) -> Callable[[], object]:
    """One large matrix product; a number of it is waited for."""
    left, right = (torch.randn([matmul_size(device)] * 2).to(device, kind) for _ in range(2))
    return lambda: float((left @ right)[0, 0])


def in_turns(
    runs: dict[str, Callable[[], object]], seconds: float, clock: Callable[[], float]
) -> dict[str, list[float]]:
    """Times of every run, the second of two in a row so that caches hold what is its own; at least three rounds."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    end = time.perf_counter() + seconds
    while len(times[PEAK]) < 3 or time.perf_counter() < end:
        for name, run in runs.items():
            run()
            start = clock()
            run()
            times[name].append(clock() - start)
    return times


def machine(threads: int) -> dict[str, object]:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    flags = next((line for line in lines if line.startswith("flags")), "")
    versions = {name: metadata.version(name) for name in PACKAGES if installed(name)}
    return {
        "processor": named[0] if named else platform.machine(),
        "cores": os.cpu_count(),
        "threads": threads,
        "bf16_units": [unit for unit in ("avx512_bf16", "amx_bf16") if unit in flags],
        "load_1m": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **versions,
    }


def as_text(report: dict) -> str:
    lines = [", ".join(f"{key} {value}" for key, value in report["machine"].items())]
    lines.append(f"{report['rows']} rows a request")
    for row in report["results"]:
        head = f"{row['shape']:12} {row['runtime']:32}"
        lines.append(
            f"{head} {row['error']}"
            if "error" in row
            else f"{head} best {row['ms_best']:9.2f} ms  median {row['ms_median']:9.2f} ms  "
            f"{row['tflops']:6.3f} TFLOP/s  {row['share_of_bf16_peak']:6.1%} of bf16 peak {row['bf16_peak_tflops']}  "
            f"max|dp| {row['max_abs_dp']:.4f}  dAUC {row['auc_difference']:+.1e}  first call {row['first_call_s']} s"
        )
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--seconds", type=float, default=4.0, help="time measured for each runtime")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--shapes", nargs="+", default=["laptop", "recap_2023"], help="presets, or runs whose weights count"
    )
    parser.add_argument("--only", nargs="+", default=[""], help="runtimes whose name holds one of these")
    parser.add_argument("--device", default="cpu", help="where the torch runtimes run, such as cuda")
    return parser.parse_args(sys.argv[1:])


if __name__ == "__main__":
    main()
