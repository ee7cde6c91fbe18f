import path from 'node:path';

/** The package's own directory, whether a test runs as it is written or compiled into dist/test. */
export const ROOT = path.dirname(require.resolve('midclt/package.json'));
