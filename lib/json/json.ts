/** The UTF-8 text of exactly one JSON value (Python's JSON: `NaN`, `Infinity` and 64-bit integers included). */
export type Json = Buffer;
