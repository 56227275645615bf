"""Evaluates ground truths and results with pycocotools: a JSON list of [gt, dt] paths in, figures or the error out."""

import contextlib
import io
import json
import sys

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def evaluate(gt_path, dt_path):
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            gt = COCO(gt_path)
            evaluation = COCOeval(gt, gt.loadRes(dt_path), "bbox")
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        return {"stats": [float(value) for value in evaluation.stats]}
    except Exception as error:  # Whatever it stops at is its answer.
        return {"error": repr(error)}


json.dump([evaluate(*pair) for pair in json.load(sys.stdin)], sys.stdout)
