import { z } from 'zod';
import type { Box } from './box.js';

/** COCO's own shapes, https://cocodataset.org/#format-data: what every source is turned into. */

export interface CocoImage {
  id: number;
  file_name: string;
  width: number;
  height: number;
  /** SHA-256 of its bytes; absent in files from elsewhere. */
  sha256?: string;
}

/** An image in the store, whose file has its SHA-256 as name. */
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
