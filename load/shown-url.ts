const tokenCharsShown = 8;

/**
 * A URL as it may be printed. What follows `/stream/` or `/ws/` in a stream's path may be a token that admits to a call:
 * no more than its beginning is shown.
 */
export function shownUrl(url: string): string {
  return url.replace(/(?<!\/)\/(stream|ws)\/[^?#]*/i, (path) => {
    const [, name = '', ...segments] = path.split('/');
    const shown = segments.map((segment) =>
      segment.length > tokenCharsShown ? `${segment.slice(0, tokenCharsShown)}…` : segment,
    );
    return `/${[name, ...shown].join('/')}`;
  });
}
