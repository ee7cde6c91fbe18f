/** Results as rows of columns. */
import t from 'tap';
import { tableLines, tsvLines } from '../../../../lib/cli/format/format.js';
import { rowsOf, tableCell, tableOf } from '../../../../lib/cli/format/rows.js';

const POOLS = Buffer.from(
  `[{"id": 1, "name": "tank", "a.b": 5, "a": {"b": 6, "c": [{"x": "y"}, 7]}, "ok": true, "size": 18446744073709551615},
    {"id": 2, "name": "tab\\there\\nthere\\\\", "a": null, "ok": false}]`,
);

t.test('columns by name, by path, and what is not there', async (t) => {
  const cells = rowsOf(POOLS, ['id', 'a.b', 'a.c.0.x', 'a.c.1', 'nosuch.x', 'size']);
  t.same(
    cells.map((row) => row.map(tableCell)),
    [
      ['1', '5', 'y', '7', '-', '18446744073709551615'],
      ['2', '-', '-', '-', '-', '-'],
    ],
  );
});

t.test("tsv is what jq's @tsv makes of it", async (t) => {
  t.same(tsvLines(POOLS, ['id', 'name', 'ok', 'a']), [
    '1\ttank\ttrue\t{"b": 6, "c": [{"x": "y"}, 7]}',
    '2\ttab\\there\\nthere\\\\\tfalse\t',
  ]);
  t.same(tsvLines(Buffer.from('{"a": 1}'), ['a', 'b']), ['1\t'], 'an object is a row');
  t.same(tsvLines(Buffer.from('[]'), ['a']), []);
});

t.test('without names: the columns that have no lists and objects in them', async (t) => {
  t.same(tableOf(POOLS)?.columns, ['id', 'name', 'a.b', 'ok', 'size']);
  t.same(tableOf(POOLS)?.left, ['a']);
  t.equal(tableOf(Buffer.from('[1, 2]')), null);
  const lines = (text: string) => tableLines(Buffer.from(text), null, 80);
  t.same(lines('[{"a": [1], "b": {}}, {"a": [2]}]'), ['A    B', '[1]  {}', '[2]  -'], 'or all');
  for (const none of ['[]', '[{}, {}]']) t.same(lines(none), [], none);
  t.equal(tableOf(Buffer.from('{"a": 1}')), null);
});

t.test('a table has as many rows as there are', async (t) => {
  // More than a function takes as arguments.
  const rows = 200_000;
  const lines = tableLines(Buffer.from(`[${'{"n":1},'.repeat(rows - 1)}{"n":12345}]`), null, 80);
  t.equal(lines.length, 1 + rows);
  t.same([lines[0], lines[1], lines.at(-1)], ['N', '1', '12345']);
});

t.test('a cell is a line, and harmless', async (t) => {
  t.equal(tableCell(Buffer.from('"a\\u001b[2J\\nb  c"')), 'a b c');
  t.equal(tableCell(Buffer.from('null')), '-');
  t.equal(tableCell(Buffer.from('""')), '-');
});

t.test('of a large list or object in a table only the beginning is shown', async (t) => {
  const large = JSON.stringify(Array.from({ length: 30 }, (_, i) => ({ path: `/dev/sd${i}` })));
  const text = 'x'.repeat(100);
  const object = `{"id": 7, "data": ${large}, "text": "${text}", "end": "it"}`;
  for (const [width, most] of [
    [Infinity, 60],
    [130, 60],
    [80, 40],
  ] as const) {
    const shown = `${large.slice(0, most - 1)}…`;
    const rows = tableLines(Buffer.from(`[${object}]`), ['id', 'data', 'end'], width);
    t.equal(rows[1], `7   ${shown}  it`, `of a list, ${width}`);
    const pairs = tableLines(Buffer.from(object), null, width);
    t.same([pairs[0], pairs[1], pairs[3]], ['id    7', `data  ${shown}`, 'end   it'], `${width}`);
  }
  t.equal(tableLines(Buffer.from(object), null, Infinity)[2], `text  ${text}`, 'a text is whole');
});
