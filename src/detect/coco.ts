import { z } from 'zod';
import type { Box } from './box.js';

/** The shapes of COCO (https://cocodataset.org/#format-data), to which every source is converted. */

export interface CocoImage {
  id: number;
  file_name: string;
  width: number;
  height: number;
  /** SHA-256 of its bytes; absent in external files. */
  sha256?: string;
}

/** An image in the store, whose file is named by its SHA-256. */
export interface StoredImage extends CocoImage {
  sha256: string;
}

export interface CocoAnnotation {
  id: number;
  image_id: number;
  category_id: number;
  bbox: Box;
  area: number;
  iscrowd: 0 | 1;
}

/** A category; `old_id` is its id in the source, before data_prep renumbered categories to 1…n. */
export const categorySchema = z
  .strictObject({
    id: z.int().min(0),
    name: z.string(),
    supercategory: z.string().optional(),
    old_id: z.int().optional().meta({ description: 'Id in the source of the training data.' }),
  })
  .meta({ id: 'Category' });

export type CocoCategory = z.infer<typeof categorySchema>;

export interface CocoDataset<Image extends CocoImage = CocoImage> {
  images: Image[];
  annotations: CocoAnnotation[];
  categories: CocoCategory[];
}

/** One entry of COCO's results format. */
export interface CocoDetection {
  image_id: number;
  category_id: number;
  bbox: Box;
  score: number;
}
