/** The launcher under every shell, with each program that can connect, and with none. */
import t from 'tap';
import { eachRow, same, TABLE } from '../support/commands.js';
import { startDaemon } from '../support/daemon.js';
import { boxOf, CONNECTORS, SHELLS } from '../support/launcher.js';
import { midclt } from '../support/midclt.js';

t.setTimeout(900_000);

const USED: readonly (readonly string[])[] = [...CONNECTORS.map((name) => [name]), []];

t.test('nothing of the table differs between launcher and program', async (t) => {
  const { home, uri } = await startDaemon(t);
  const globals = ['-u', uri, '-d'];
  const expected: object[] = [];
  await eachRow(async ({ args, stdin }, i) => {
    expected[i] = same(await midclt([...globals, ...args], { home, input: stdin ?? '' }));
  });
  t.ok(SHELLS.length >= 2, SHELLS.join());
  for (const shell of SHELLS) {
    for (const connectors of USED) {
      const box = boxOf(home, connectors, shell);
      await eachRow(async ({ args, stdin }, i) => {
        const run = await box.run([...globals, ...args], { input: stdin ?? '' });
        const what = `${shell} with ${connectors.join() || 'none'}: ${args.join(' ')}`;
        t.same(same(run), expected[i], JSON.stringify(what.slice(0, 100)));
      });
      const left = connectors.length === 0 ? TABLE.length : TABLE.length / 2;
      t.ok(box.starts() <= left, `${shell}: ${box.starts()} starts of Node`);
    }
  }
});
