"""YOLOX on onnxruntime in Python as one would write it by hand: what the peers of the serving benchmark share.

Reads the same bundle as `yolox-node serve` and answers with the same JSON: OpenCV decodes, resizes and suppresses, numpy does
the rest.
"""

import json
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

# Threads of onnxruntime and of the server are what the benchmark varies; OpenCV's own would fight with them.
cv2.setNumThreads(1)


class Detector:
    def __init__(self, bundle: str, threads: int, spin: bool = True) -> None:
        manifest = json.loads(Path(bundle, "bundle.json").read_text())
        self.preprocess = manifest["preprocess"]
        self.thresholds = manifest["thresholds"]
        self.categories = manifest["categories"]
        self.ids = [category["id"] for category in self.categories]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spin else "0")
        path = str(Path(bundle, manifest["model"]["file"]))
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name

    def answer(self, encoded: bytes) -> dict:
        return self.answer_batch([encoded])[0]

    def answer_batch(self, encoded: list[bytes]) -> list[dict]:
        """One run of the model for all images."""
        images = [cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) for data in encoded]
        fitted = [self.fit(image) for image in images]
        (outputs,) = self.session.run(None, {self.input: self.blob([image for image, _ in fitted])})
        return [
            self.describe(output, ratio, image)
            for output, (_, ratio), image in zip(outputs, fitted, images, strict=True)
        ]

    def fit(self, image: np.ndarray) -> tuple[np.ndarray, float]:
        height, width = self.preprocess["size"]
        ratio = min(height / image.shape[0], width / image.shape[1])
        rows, columns = int(image.shape[0] * ratio), int(image.shape[1] * ratio)
        image = np.full((height, width, 3), self.preprocess["pad"], np.uint8)
        image[:rows, :columns] = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_LINEAR)
        return image, ratio

    def blob(self, images: list[np.ndarray]) -> np.ndarray:
        scale, mean, std = (self.preprocess[key] for key in ("scale", "mean", "std"))
        mean_pixels = [value / scale for value in mean]
        blob = cv2.dnn.blobFromImages(images, scale, mean=mean_pixels, swapRB=self.preprocess["color"] == "rgb")
        if std != [1, 1, 1]:
            blob /= np.array(std, np.float32).reshape(1, 3, 1, 1)
        return blob

    def describe(self, output: np.ndarray, ratio: float, image: np.ndarray) -> dict:
        height, width = image.shape[:2]
        limits = self.thresholds
        # A score is at most the objectness, so that most anchors need no look at their classes.
        output = output[output[:, 4] >= limits["confidence"]]
        classes = output[:, 5:].argmax(1)
        scores = output[:, 4] * output[np.arange(len(output)), 5 + classes]
        sure = scores >= limits["confidence"]
        output, classes, scores = output[sure], classes[sure], scores[sure]
        boxes = output[:, :4].copy()
        boxes[:, :2] -= boxes[:, 2:] / 2
        groups = np.zeros_like(classes) if limits["agnostic"] else classes
        kept = self.suppress(boxes, scores, groups)[: limits["maxDetections"]]
        corners = np.concatenate([boxes[kept, :2], boxes[kept, :2] + boxes[kept, 2:]], 1) / ratio
        corners = corners.clip(0, [width, height, width, height])
        sizes = corners[:, 2:] - corners[:, :2]
        found = zip(corners.tolist(), sizes.tolist(), classes[kept].tolist(), scores[kept].tolist(), strict=True)
        annotations = [
            {
                "id": index,
                "image_id": 0,
                "bbox": [x, y, w, h],
                "category_id": self.ids[kind],
                "score": score,
                "segmentation": [],
            }
            for index, ((x, y, *_), (w, h), kind, score) in enumerate(found, 1)
        ]
        return {
            "file_name": "",
            "height": height,
            "width": width,
            "image_id": 0,
            "annotations": annotations,
            "categories": self.categories,
        }

    def suppress(self, boxes: np.ndarray, scores: np.ndarray, groups: np.ndarray) -> np.ndarray:
        if len(boxes) == 0:
            return np.empty(0, np.int64)
        kept = cv2.dnn.NMSBoxesBatched(boxes, scores, groups, 0.0, self.thresholds["iou"])
        return kept[np.argsort(-scores[kept], kind="stable")]
