import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '../..');

/** A page of the documentation. */
export interface Page {
  /** From the root. */
  file: string;
  text: string;
  /** Fenced blocks and their languages, empty for none. */
  blocks: { language: string; text: string }[];
  /** The text between backticks, outside of blocks. */
  code: string[];
  /** Anchors of its headings, as GitHub makes them. */
  anchors: Set<string>;
}

const FENCE = /^```(\w*)\n([\s\S]*?)^```$/gm;

/** README.md, CONTRIBUTING.md and everything in docs. */
export function readPages(): Page[] {
  const files = ['README.md', 'CONTRIBUTING.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)];
  return files
    .filter((file) => file.endsWith('.md'))
    .map((file) => {
      const text = readFileSync(join(root, file), 'utf8');
      const prose = text.replace(FENCE, '');
      return {
        file,
        text,
        blocks: [...text.matchAll(FENCE)].map(([, language, content]) => ({ language, text: content })),
        code: [...prose.matchAll(/`([^`]+)`/g)].map(([, inline]) => inline.replace(/\s+/g, ' ')),
        anchors: new Set([...prose.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading))),
      };
    });
}

const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');

/** Lines of a page's blocks that call a program, comments cut off. */
export function commandLines({ blocks }: Page, program: RegExp): string[] {
  return blocks
    .filter(({ language }) => language === '')
    .flatMap(({ text }) => text.split('\n'))
    .map((line) => line.replace(/\s+#.*$/, '').trim())
    .filter((line) => program.test(line));
}

/** Words of a command line, as a shell splits them. */
export const wordsOf = (line: string): string[] =>
  [...line.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g)].map(([word]) => word.replace(/["']/g, ''));

export const inRoot = (path: string): boolean => existsSync(join(root, path));
