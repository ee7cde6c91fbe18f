import t from 'tap';
import { parseArgv } from '../../../../lib/cli/args/argv.js';
import { nearWords } from '../../../../lib/cli/args/near.js';

function near(...argv: string[]): string | null {
  const parsed = parseArgv(argv);
  if (parsed.kind !== 'usage') throw new Error(parsed.kind);
  return parsed.typed ? nearWords(parsed.typed) : null;
}

t.test('misspelt commands and options', async (t) => {
  t.equal(near('cal', 'system.info'), 'Did you mean call?');
  t.equal(near('-d', 'bacth'), 'Did you mean batch?');
  t.equal(near('status'), 'Did you mean daemon-status?');
  t.equal(near('daemon', 'status'), 'Did you mean daemon-status?');
  t.equal(near('daemon', 'nonsense'), null);
  t.equal(near('job', 'lits'), 'Did you mean list?');
  t.equal(near('system.info'), 'Did you mean midclt call system.info?');
  t.equal(near('call', 'x', '--jbo'), 'Did you mean --job?');
  t.equal(near('ping', '--insecre'), 'Did you mean --insecure?');
  t.equal(near('--usernam3=x', 'ping'), 'Did you mean --username?');
  t.equal(near('ping', '--pasword=secret'), 'Did you mean --password?');
  t.equal(near('daemon', '--handover-fdd', '3'), null, 'what is not for users');
  t.equal(near('ping', 'x'), null);
  t.equal(near('xyzzy'), null);
  t.equal(near('-d', '-o', 'json', 'call'), "-o is an option of 'call', and stands behind it");
  t.equal(near('--job', 'call', 'x'), "--job is an option of 'call', and stands behind it");
  t.equal(near('-j', 'ping'), null);
  t.equal(near('call'), null, 'another mistake');
});
