import { z } from 'zod';
import { toBox } from '../../detect/box.js';
import { type CocoCategory, type CocoDetection, categorySchema } from '../../detect/coco.js';
import type { Detection } from '../../detect/nms.js';
import { type ApiError, errorBodySchema } from '../api_error.js';

const pixels = z.number();
const bbox = z
  .tuple([pixels, pixels, pixels, pixels])
  .meta({ description: 'Left, top, width, height in pixels of the upright image.' });
const categoryId = z.int().min(0);
const score = z.number().min(0).max(1);
const fileName = z.string().meta({ description: 'As the client named the file; else empty.' });
const imageId = z.int().min(0);

const annotationSchema = z
  .strictObject({
    id: z.int().min(1).meta({ description: '1…n within the answer, best score first.' }),
    image_id: imageId,
    bbox,
    category_id: categoryId,
    score,
    segmentation: z.array(z.never()).max(0).meta({ description: 'Always empty: the model finds boxes.' }),
  })
  .meta({ id: 'Annotation' });

const imageSchema = z.strictObject({
  file_name: fileName,
  height: z.int().min(1).meta({ description: 'Pixels of the upright image, which the boxes refer to.' }),
  width: z.int().min(1),
  image_id: imageId,
});

export const answerSchema = imageSchema
  .extend({
    annotations: z.array(annotationSchema),
    categories: z.array(categorySchema).meta({ description: 'All the model knows, in the order of its classes.' }),
  })
  .meta({ id: 'Answer', description: 'The objects of one image.' });

const refusedSchema = z
  .strictObject({ file_name: fileName, image_id: imageId, error: errorBodySchema })
  .meta({ id: 'RefusedImage', description: 'An image among several that could not be looked at.' });

export const answersSchema = z
  .strictObject({ answers: z.array(z.union([answerSchema, refusedSchema])) })
  .meta({ id: 'Answers', description: 'One entry for each image, in their order.' });

export const resultsSchema = z
  .array(z.strictObject({ image_id: imageId, category_id: categoryId, bbox, score }))
  .meta({ id: 'CocoResults', description: 'COCO’s results format, of all images.' });

/** One object of an answer. */
export type AnswerAnnotation = z.infer<typeof annotationSchema>;
/** The image an answer is about. */
export type AnsweredImage = z.infer<typeof imageSchema>;
/** What `POST /predict` answers. */
export type Answer = z.infer<typeof answerSchema>;
/** What it says instead of an image among several that is none. */
export type RefusedImage = z.infer<typeof refusedSchema>;

/** Detections in image pixels to an answer; `categories` are in the order of the model's classes. */
export function buildAnswer(
  { file_name, height, width, image_id }: AnsweredImage,
  detections: readonly Detection[],
  categories: CocoCategory[],
): Answer {
  const results = buildResults(image_id, detections, categories);
  return {
    file_name,
    height,
    width,
    image_id,
    annotations: results.map(({ bbox, category_id, score }, index) => ({
      id: index + 1,
      image_id,
      bbox,
      category_id,
      score,
      segmentation: [],
    })),
    categories,
  };
}

/** Detections of one image in COCO's results format. */
export function buildResults(
  image_id: number,
  detections: readonly Detection[],
  categories: readonly CocoCategory[],
): CocoDetection[] {
  return detections.map(({ box, classIndex, score }) => ({
    image_id,
    category_id: categories[classIndex].id,
    bbox: toBox(box),
    score,
  }));
}

export function buildRefusal(file_name: string, image_id: number, { body }: ApiError): RefusedImage {
  return { file_name, image_id, error: body };
}
