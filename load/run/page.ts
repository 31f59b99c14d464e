import type { LoadReport } from './report.js';
export async function loadPage(report: LoadReport): Promise<string> {
  return JSON.stringify(report);
}
