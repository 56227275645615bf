/** COCO's own shapes, https://cocodataset.org/#format-data: what every source is turned into. */

export interface CocoImage {
  id: number;
  file_name: string;
  width: number;
  height: number;
  /** SHA-256 of the image's bytes: its name in the store. Absent in files from elsewhere. */
  sha256?: string;
}

/** Pixels, top-left corner and size, unrotated. */
export type Box = [x: number, y: number, width: number, height: number];

export interface CocoAnnotation {
  id: number;
  image_id: number;
  category_id: number;
  bbox: Box;
  area: number;
  iscrowd: 0 | 1;
}

export interface CocoCategory {
  id: number;
  name: string;
  supercategory?: string;
  /** Id in the source before data_prep renumbered to 1…n. */
  old_id?: number;
}

export interface CocoDataset {
  images: CocoImage[];
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
