/* eslint-disable no-control-regex -- control characters are what this is about */

/**
 * Text of the server without what a terminal would act on: whole escape sequences first, then every
 * control character that is left but those in `kept`, and what turns the direction of the text around it
 * (Unicode's Bidi_Control without the marks): one cell of a table could rearrange the others.
 */
export function stripControls(text: string, kept = ''): string {
  const control = /(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]/g; // CSI: colours, the cursor
  const string = /(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x00-\x1f\x7f-\x9f]*(?:\x07|\x1b\\|\x9c)/g; // titles, links
  const short = /\x1b[ -/]*[0-~]/g;
  const rest = /[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;
  return text
    .replace(control, '')
    .replace(string, '')
    .replace(short, '')
    .replace(rest, (c) => (kept.includes(c) ? c : ''));
}

/** What a peer said, for the middle of a message of one line. */
export function onOneLine(text: string): string {
  return stripControls(text.replace(/[\t\r\n]+/g, ' '));
}
