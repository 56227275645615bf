import type { Box, CocoCategory } from '../../data/coco.js';
import type { Detection } from '../../data/detections.js';

/** One object of an answer. */
export interface AnswerAnnotation {
  /** 1…n within the answer, best score first. */
  id: number;
  image_id: number;
  bbox: Box;
  category_id: number;
  score: number;
  /** Always empty: the model finds boxes. */
  segmentation: [];
}

/** The picture an answer is about. */
export interface AnsweredImage {
  file_name: string;
  /** Pixels of the upright picture, which the boxes refer to. */
  height: number;
  width: number;
  image_id: number;
}

/** What `POST /predict` answers. */
export interface Answer extends AnsweredImage {
  annotations: AnswerAnnotation[];
  categories: CocoCategory[];
}

/** Detections in picture pixels to an answer; `categories` are in the order of the model's classes. */
export function buildAnswer(
  { file_name, height, width, image_id }: AnsweredImage,
  detections: readonly Detection[],
  categories: CocoCategory[],
): Answer {
  return {
    file_name,
    height,
    width,
    image_id,
    annotations: detections.map(({ box: [x1, y1, x2, y2], classIndex, score }, index) => ({
      id: index + 1,
      image_id,
      bbox: [x1, y1, x2 - x1, y2 - y1],
      category_id: categories[classIndex].id,
      score,
      segmentation: [],
    })),
    categories,
  };
}
