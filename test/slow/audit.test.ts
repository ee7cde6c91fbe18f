/** `npm run audit`: known holes of what is in the program fail it, others are named. */
import { spawn } from 'node:child_process';
import http from 'node:http';
import path from 'node:path';
import type net from 'node:net';
import t, { type Test } from 'tap';
import { environment, finished, makeHome } from '../support/midclt.js';
import { ROOT } from '../support/root.js';

const hole = (range: string) => ({
  id: 1,
  url: 'https://example.com/hole',
  title: 'A hole',
  severity: 'high',
  vulnerable_versions: range,
  cwe: [],
  cvss: { score: 5, vectorString: null },
});

/** Runs it against a registry that answers requests for holes so, and all others that there is no such thing. */
async function audited(t: Test, status: number, answer: unknown) {
  const asked: string[] = [];
  const registry = http.createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    request.resume();
    const isAudit = request.method === 'POST';
    response.writeHead(isAudit ? status : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(isAudit ? answer : {}));
  });
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
  t.teardown(() => registry.close());
  const home = makeHome(t);
  const run = await finished(
    spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, path.join(ROOT, 'scripts/audit.js')], {
      env: environment(home, {
        npm_config_registry: `http://127.0.0.1:${(registry.address() as net.AddressInfo).port}/`,
        npm_config_cache: `${home}/cache`,
        npm_config_fetch_retries: '0',
      }),
      cwd: home,
    }),
  );
  t.ok(asked.includes('POST /-/npm/v1/security/advisories/bulk'), 'it has asked');
  return run;
}

t.test('none', async (t) => {
  const stdout = /^\d\d packages in the program, 0 known holes; 0 in others\n$/;
  t.match(await audited(t, 200, {}), { code: 0, stdout, stderr: '' });
});

t.test('one in the program', async (t) => {
  const run = await audited(t, 200, { ws: [hole('<99')], tap: [hole('<99')] });
  t.match(run, { code: 1, stderr: '' });
  t.match(run.stdout, /^ws 8\.[\d.]+ \(in the program\): high, <99: A hole https:/m);
  t.match(run.stdout, /^tap [\d.]+ \(for development alone\): high/m);
  t.match(run.stdout, /, 1 known holes; 1 in others\n$/);
});

t.test('one of development, and one of a version that is not in the tree', async (t) => {
  const run = await audited(t, 200, { tap: [hole('<99')], ws: [hole('<8.0.0')] });
  t.match(run, { code: 0, stdout: /, 0 known holes; 1 in others\n$/, stderr: '' });
});

t.test('a registry that answers no audits', async (t) => {
  const run = await audited(t, 405, {});
  t.match(run, { code: 2, stdout: '', stderr: /^Not audited: 405 [^\n]*\n$/ });
});
