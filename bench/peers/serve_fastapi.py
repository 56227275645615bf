"""YOLOX behind FastAPI, uvicorn and onnxruntime: a peer of the serving benchmark.

    python3 -m venv VENV && VENV/bin/pip install fastapi 'uvicorn[standard]' onnxruntime opencv-python-headless numpy
    VENV/bin/python bench/peers/serve_fastapi.py --bundle DIR --port 8000 --workers 2 --threads 1 --pool 1

POST /predict takes an image as the body. Images are decoded and looked at in `--pool` threads of each worker, so
that the event loop stays free.
"""

import argparse
import asyncio
import json
import os
from concurrent.futures import ThreadPoolExecutor

import uvicorn
from fastapi import FastAPI, Request, Response
from serve_yolox import Detector

# Workers are processes of their own: they learn by the environment what they serve.
SETTINGS = "SERVE_FASTAPI"


def create_app() -> FastAPI:
    settings = json.loads(os.environ[SETTINGS])
    detector = Detector(settings["bundle"], settings["threads"], settings["spin"])
    pool = ThreadPoolExecutor(settings["pool"])
    app = FastAPI()

    def answer(body: bytes) -> bytes:
        return json.dumps(detector.answer(body), separators=(",", ":")).encode()

    @app.post("/predict")
    async def predict(request: Request) -> Response:
        body = await request.body()
        content = await asyncio.get_running_loop().run_in_executor(pool, answer, body)
        return Response(content, media_type="application/json")

    return app


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bundle", required=True)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--threads", type=int, default=2, help="of onnxruntime, each worker")
    parser.add_argument("--pool", type=int, default=2, help="images at once, each worker")
    parser.add_argument("--no-spin", dest="spin", action="store_false", help="idle threads of onnxruntime sleep")
    flags = vars(parser.parse_args())
    os.environ[SETTINGS] = json.dumps(flags)
    uvicorn.run(
        "serve_fastapi:create_app",
        factory=True,
        port=flags["port"],
        workers=flags["workers"],
        log_level="warning",
        access_log=False,
    )


if __name__ == "__main__":
    main()
