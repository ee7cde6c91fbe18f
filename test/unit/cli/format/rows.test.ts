/** Results as rows of columns. */
import t from 'tap';
import { tsvLines } from '../../../../lib/cli/format/format.js';
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
  t.equal(tableOf(Buffer.from('[1, 2]')), null);
  t.equal(tableOf(Buffer.from('{"a": 1}')), null);
});

t.test('a cell is a line, and harmless', async (t) => {
  t.equal(tableCell(Buffer.from('"a\\u001b[2J\\nb  c"')), 'a b c');
  t.equal(tableCell(Buffer.from('null')), '-');
  t.equal(tableCell(Buffer.from('""')), '-');
});
