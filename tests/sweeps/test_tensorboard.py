"""TensorBoard over the folder of a sweep."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from sweeps.small import summaries


@pytest.fixture
def tensorboard(swept) -> Iterator[Callable[..., Any]]:
    """`request("runs")`: the JSON that TensorBoard's page over the sweep's folder is made from."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", "--host", "127.0.0.1", "--port", str(port), "--logdir",
         str(swept[0] / "outputs/s")], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def request(path: str, content: object = None) -> Any:
        url = f"http://127.0.0.1:{port}/data/{path}"
        data = None if content is None else json.dumps(content).encode()
        posted = urllib.request.Request(url, data, {"Content-Type": "application/json"})
        with opener.open(posted, timeout=30) as response:
            return json.load(response)

    try:
        yield request
    finally:
        server.terminate()
        server.wait(30)


def repeated(request: Callable[[], Any], until: Callable[[Any], bool]) -> Any:
    """The first response that passes `until`: TensorBoard answers while it still reads the folder."""
    end = time.monotonic() + 60
    while True:
        with suppress(OSError):  # it does not listen yet
            if until(response := request()):
                return response
        assert time.monotonic() < end, "TensorBoard did not answer as expected within a minute"
        time.sleep(0.3)


def test_tensorboard_shows_the_members_with_their_keys_and_final_metrics(swept, tensorboard):
    """It names them by their folders. The HPARAMS tab has a row for each member that began to train."""
    names = {file.parent.name for file in (swept[0] / "outputs/s").glob("*/metrics.jsonl")}
    assert len(names) == 2
    runs = repeated(lambda: tensorboard("runs"), lambda response: set(response) == names)
    assert all("lr=" in run and "optimizer." not in run for run in runs)
    statuses = [f"STATUS_{status}" for status in ("UNKNOWN", "SUCCESS", "FAILURE", "RUNNING")]
    query = {"experimentName": "", "allowedStatuses": statuses, "startIndex": 0, "sliceSize": 100}
    query["colParams"] = [{"metric": {"tag": tag, "group": ""}} for tag in ("test/elbo", "test/nll")]

    def by_rate() -> dict[float, dict]:
        members = tensorboard("plugin/hparams/session_groups", query)["sessionGroups"]
        return {member["hparams"]["optimizer.lr"]: member for member in members}

    found = repeated(by_rate, lambda rows: set(rows) == {0.001, 1e18} and "metricValues" in rows[0.001])
    for rate, status in ((0.001, "SUCCESS"), (1e18, "FAILURE")):
        assert found[rate]["sessions"][0]["status"] == f"STATUS_{status}"
        keys = found[rate]["hparams"]
        assert keys["latent.code_size"] == 20 and keys["latent"] == "gaussian"
    shown = {value["name"]["tag"]: value["value"] for value in found[0.001]["metricValues"]}
    test = summaries(swept[0])["cpu", 0.001]["test"]
    assert shown["test/elbo"] == pytest.approx(test["elbo"], rel=1e-6)  # TensorBoard stores float32
    assert shown["test/nll"] == pytest.approx(test["nll"], rel=1e-6)
