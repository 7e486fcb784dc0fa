"""How long calls took, as Prometheus reads it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from chassis.metrics import CallSeconds


def test_a_call_is_counted_in_the_bucket_of_its_length_and_in_all_longer_ones() -> None:
    seconds = CallSeconds()
    for length in (0.0005, 0.0006, 0.3, 11.0):
        seconds.of("parley.gating.v1.GatingService/EvaluateGate", "OK")(length)
    seconds.of("parley.gating.v1.GatingService/EvaluateGate", "NOT_FOUND")(0.002)
    registry = CollectorRegistry()
    registry.register(seconds)
    (family,) = text_string_to_metric_families(generate_latest(registry).decode())
    assert (family.name, family.type) == ("parley_call_seconds", "histogram")
    samples = [sample for sample in family.samples if sample.labels["code"] == "OK"]
    assert {sample.labels["method"] for sample in samples} == {"parley.gating.v1.GatingService/EvaluateGate"}
    buckets = {s.labels["le"]: s.value for s in samples if s.name == "parley_call_seconds_bucket"}
    assert (len(buckets), buckets["0.0005"], buckets["0.001"]) == (15, 1, 2)
    assert (buckets["0.25"], buckets["0.5"], buckets["10.0"], buckets["+Inf"]) == (2, 3, 3, 4)
    found = {s.name: s.value for s in samples if "le" not in s.labels}
    assert found == {"parley_call_seconds_count": 4, "parley_call_seconds_sum": 11.3011}
    others = [
        s.value for s in family.samples if s.labels["code"] == "NOT_FOUND" and s.name.endswith("_count")
    ]
    assert others == [1]
