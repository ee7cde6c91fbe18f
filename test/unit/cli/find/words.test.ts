/** Names by patterns, names near others, and what a text is about. */
import t from 'tap';
import { matcher, nearNames } from '../../../../lib/cli/find/pattern.js';
import { proseLines, summaryOf } from '../../../../lib/cli/find/prose.js';

const NAMES = ['pool.create', 'pool.dataset.query', 'pool.query', 'system.info', 'user.query'];

t.test('a pattern is a part of a name, or a glob for all of it', async (t) => {
  const found = (pattern: string) => NAMES.filter(matcher(pattern));
  t.same(found('POOL.'), ['pool.create', 'pool.dataset.query', 'pool.query']);
  t.same(found('*.query'), ['pool.dataset.query', 'pool.query', 'user.query']);
  t.same(found('pool.*'), ['pool.create', 'pool.dataset.query', 'pool.query']);
  t.same(found('p??l.[cq]*'), ['pool.create', 'pool.query']);
  t.same(found('pool.[!c]*'), ['pool.dataset.query', 'pool.query']);
  t.same(found('[a-p]*.query'), ['pool.dataset.query', 'pool.query']);
  t.same(found('[z-a]*'), []);
  t.same(found('[\\]]*'), []);
  t.same(found('pool.(create|query)'), []);
  t.same(found('*+'), []);
  t.same(found(''), NAMES);
});

t.test('names that somebody may have meant', async (t) => {
  t.same(nearNames('system.inof', NAMES), ['system.info']);
  t.same(nearNames('Pool.Query', NAMES), ['pool.query', 'user.query'].slice(0, 1));
  t.same(nearNames('pol.query', NAMES)[0], 'pool.query');
  t.same(nearNames('reporting.netdata', NAMES), []);
  t.same(nearNames('', NAMES), []);
  t.same(nearNames('x'.repeat(1_000_000), NAMES), []);
  t.equal(nearNames('a.c', ['a.b', 'a.d', 'a.e', 'a.f']).length, 3);
});

t.test('what a text is about is its first sentence', async (t) => {
  t.equal(summaryOf('Query pools.\n\nMore.'), 'Query pools');
  t.equal(
    summaryOf('\n Create a\n  pool, e.g. one of disks. Then wait.'),
    'Create a pool, e.g. one of disks',
  );
  t.equal(summaryOf('Return version 25.10 of ``it``'), 'Return version 25.10 of `it`');
  t.equal(summaryOf('a\u001b[31mb\tc\u0007'), 'ab c');
  t.equal(summaryOf(''), '');
  t.equal(summaryOf('...'), '');
  t.equal(summaryOf('😀'.repeat(500)).length, 199);
  t.ok(summaryOf('x'.repeat(1000)).endsWith('x…'));
});

t.test('text is filled to a width as a terminal measures it', async (t) => {
  t.same(proseLines('プール を 作る', 8), ['プール', 'を 作る']);
  t.same(proseLines('- one two\n  three\n- four', 9), ['- one two', '  three', '- four']);
  t.same(
    proseLines('1. one\n\n2. two\n\n.. code-block:: json\n\n    {\n      "a": 1\n    }\n\nEnd', 80),
    [...['1. one', '', '2. two', '', '    {', '      "a": 1', '    }', '', 'End']],
  );
  t.same(proseLines('See `the docs <https://example.org/a>`_ and **this**.\n', 80), [
    'See the docs (https://example.org/a) and this.',
  ]);
  t.same(proseLines('Term\n    What it\n    means.\n.. seealso:: :doc:`a`,\n    b', 80), [
    ...['Term', '    What it means.', '', 'See also: a, b'],
  ]);
  t.same(proseLines('\n\n\n', 80), []);
});
