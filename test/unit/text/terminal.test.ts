import t from 'tap';
import { onOneLine, stripControls } from '../../../lib/text/terminal.js';

t.test('what a terminal would act on is taken out, and nothing else', async (t) => {
  for (const [text, shown] of [
    ['\x1b[31mred\x1b[0m \x1b]0;title\x07\x9b1mbold\x1bcreset', 'red boldreset'],
    ['a\x00b\x08c\x7fd\x85e\tf\ng', 'abcdef\ng'],
    ['\u202egnp.\u202cexe \u2066a\u2069\u202a\u202b\u202d\u2067\u2068', 'gnp.exe a'],
    ['שלום \u200e(1)\u200f مرحبا', 'שלום \u200e(1)\u200f مرحبا'],
    ['e\u0301 👩\u200d💻 \u2028 \u00a0', 'e\u0301 👩\u200d💻 \u2028 \u00a0'],
  ] as const)
    t.equal(stripControls(text, '\n'), shown);
  t.equal(onOneLine('a\r\n\tb\u202ec'), 'a bc');
});
