"""YOLOX behind BentoML with adaptive batching: a peer of the serving benchmark.

    python3 -m venv VENV && VENV/bin/pip install 'bentoml>=1.4,<1.5' onnxruntime opencv-python-headless numpy
    cd bench/peers && SERVE_BENTOML='{"bundle": "DIR", "workers": 1, "threads": 2, "spin": true}' \
        VENV/bin/python -m bentoml serve serve_bentoml:Yolox --port 8000

POST /predict takes an image as the field `images` of a form; BentoML gathers the images of several requests into one
call.
"""

import json
import os
from pathlib import Path

import bentoml
from serve_yolox import Detector

SETTINGS = json.loads(os.environ["SERVE_BENTOML"])


@bentoml.service(
    workers=SETTINGS["workers"],
    traffic={"timeout": 60, "max_concurrency": 1024},
    logging={"access": {"enabled": False}},
)
class Yolox:
    def __init__(self) -> None:
        self.detector = Detector(SETTINGS["bundle"], SETTINGS["threads"], SETTINGS["spin"])

    @bentoml.api(batchable=True, max_batch_size=8, max_latency_ms=1000)
    def predict(self, images: list[Path]) -> list[dict]:
        return self.detector.answer_batch([path.read_bytes() for path in images])
