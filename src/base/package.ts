import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** Folder of this package, whether this file runs from src/base or dist/base. */
export const packageRoot = resolve(import.meta.dirname, '../..');

const manifest = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));

/** Version of this package, as in package.json. */
export const packageVersion: string = manifest.version;

/** SPDX identifier of this package's licence. */
export const packageLicense: string = manifest.license;
