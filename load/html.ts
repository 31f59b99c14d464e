import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

/** Text as it stands in an element or in an attribute. */
export function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (char) => entities[char] ?? char);
}

/** Figures as they stand in a script element: nothing in them may end it. */
export function scriptData(figures: unknown): string {
  return JSON.stringify(figures).replace(/</g, '\\u003c');
}

/** uPlot, for a page that holds all it needs. */
export async function uPlot(): Promise<{ readonly script: string; readonly css: string }> {
  const read = (name: string) =>
    readFile(createRequire(import.meta.url).resolve(`uplot/dist/${name}`), 'utf8');
  const [script, css] = await Promise.all([read('uPlot.iife.min.js'), read('uPlot.min.css')]);
  return { script, css };
}
