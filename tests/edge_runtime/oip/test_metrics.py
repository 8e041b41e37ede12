"""Counters in the form that Prometheus reads."""

from edge_runtime.serving.metrics import Metrics


def test_requests_are_counted_by_model_and_code() -> None:
    metrics = Metrics()
    metrics.count("m", 200, 10, 20)
    metrics.count("m", 200, 10, 20)
    metrics.count("", 404, 0, 5)
    metrics.inferred("m", 200, 0.003)
    metrics.inferred("m", 200, 99.0)
    metrics.inferred("m", 429, 0.0)
    lines = metrics.text({"queue_requests": 3}, [{"model": "m", "version": "1.0.0"}]).decode()
    for line in (
        'edge_runtime_requests_total{model="m",code="200"} 2',
        'edge_runtime_requests_total{model="",code="404"} 1',
        'edge_runtime_request_seconds_bucket{model="m",le="0.0025"} 0',
        'edge_runtime_request_seconds_bucket{model="m",le="0.005"} 1',
        'edge_runtime_request_seconds_bucket{model="m",le="30.0"} 1',
        'edge_runtime_request_seconds_bucket{model="m",le="+Inf"} 2',
        'edge_runtime_request_seconds_count{model="m"} 2',
        "edge_runtime_received_bytes_total 20",
        "edge_runtime_sent_bytes_total 45",
        "edge_runtime_queue_requests 3",
        'edge_runtime_model_info{model="m",version="1.0.0"} 1',
    ):
        assert line in lines.splitlines()
    second = metrics.recent[-1]
    assert sum(s.failed for s in metrics.recent) == 1
    assert second.most_ms >= 3.0
