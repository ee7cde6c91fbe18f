/** The ways in which npm installs this package, each as it is typed. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { makeHome } from '../support/midclt.js';
import { noOtherUser, OTHER } from '../support/other-user.js';
import { ROOT } from '../support/root.js';

const { version } = JSON.parse(fs.readFileSync(`${ROOT}/package.json`, 'utf8')) as {
  version: string;
};
/** What 'npm ci' has fetched before is there. */
const CACHE = spawnSync('npm', ['config', 'get', 'cache'], { encoding: 'utf8' }).stdout.trim();

interface Ran {
  readonly status: number | null;
  /** What it printed to both outputs. */
  readonly output: string;
}

function run(command: string, cwd: string, env: NodeJS.ProcessEnv = {}, uid?: number): Ran {
  const user = uid === undefined ? {} : { uid, gid: uid };
  const { PATH } = process.env;
  const { status, stdout } = spawnSync('/bin/sh', ['-c', `{ ${command}\n} 2>&1`], {
    ...{ cwd, encoding: 'utf8', env: { PATH, HOME: cwd, ...env }, ...user },
  });
  return { status, output: stdout };
}

/** This package's sources, as somebody who has just cloned them has them. */
function clone(t: Test): string {
  const home = makeHome(t);
  const files = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  for (const file of files.stdout.split('\0').filter((name) => name)) {
    if (fs.existsSync(`${ROOT}/${file}`)) fs.cpSync(`${ROOT}/${file}`, `${home}/clone/${file}`);
  }
  return `${home}/clone`;
}

const installed = (prefix: string) =>
  fs.readdirSync(prefix, { recursive: true, encoding: 'utf8' }).filter((name) => {
    return !fs.lstatSync(path.join(prefix, name)).isDirectory();
  });

/** Packs it as it is published: built, and without what is only for this place. */
function pack(t: Test): string {
  const copy = clone(t);
  fs.symlinkSync(`${ROOT}/node_modules`, `${copy}/node_modules`);
  const before = fs.readFileSync(`${copy}/package.json`, 'utf8');
  const { status, output } = run('npm pack --silent', copy);
  t.equal(status, 0, output);
  t.equal(fs.readFileSync(`${copy}/package.json`, 'utf8'), before, 'nothing is changed by it');
  return `${copy}/midclt-${version}.tgz`;
}

t.test(
  'a user installs the tarball, over an old one, and removes it',
  { skip: noOtherUser },
  async (t) => {
    const tarball = pack(t);
    const home = fs.mkdtempSync('/tmp/i-');
    t.teardown(() => {
      fs.rmSync(home, { recursive: true });
    });
    fs.cpSync(tarball, `${home}/new.tgz`);
    const old = run(
      `tar xzf new.tgz && sed -i 's/"version": ".*"/"version": "0.0.9"/' package/package.json && touch package/dist/bin/gone.js && tar czf old.tgz package && rm -r package`,
      home,
    );
    t.equal(old.status, 0, old.output);
    spawnSync('chown', ['-R', `${OTHER}:${OTHER}`, home]);
    const user = (command: string) => run(command, home, {}, OTHER);
    const prefix = `${home}/.local`;
    // No package is fetched: it works where there is no network.
    const install = (file: string) => user(`npm install -g --offline --prefix ~/.local ./${file}`);
    t.match(install('old.tgz'), { status: 0, output: /^\s*added 1 package in \S+\s*$/ });
    t.ok(fs.existsSync(`${prefix}/lib/node_modules/midclt/dist/bin/gone.js`));
    t.match(install('new.tgz'), { status: 0, output: /^\s*changed 1 package in \S+\s*$/ });
    t.notOk(fs.existsSync(`${prefix}/lib/node_modules/midclt/dist/bin/gone.js`));
    t.match(user('~/.local/bin/midclt --version'), { status: 0, output: `midclt ${version}\n` });
    const precompiled = user('node ~/.local/lib/node_modules/midclt/dist/bin/precompile.js');
    t.match(precompiled, { status: 0 });
    t.ok(installed(prefix).some((name) => name.endsWith('thin.cache')));
    t.match(user('npm uninstall -g --prefix ~/.local midclt'), { status: 0 });
    t.same(installed(prefix), []);
  },
);

/** What npm prints where it links or clones; that it runs a script of a package that is none of a registry's, it says. */
const ADDED = /^\s*added 1 package in \S+\n(?:npm warn install-scripts.*\n)*$/;

t.test('a fresh clone installs itself', async (t) => {
  const copy = clone(t);
  const prefix = `${path.dirname(copy)}/prefix`;
  const env = { npm_config_cache: CACHE, npm_config_prefer_offline: 'true' };
  t.match(run(`npm install -g --prefix "${prefix}" .`, copy, env), { status: 0, output: ADDED });
  t.match(run(`"${prefix}/bin/midclt" --version`, copy), { output: `midclt ${version}\n` });
  t.match(run(`npm uninstall -g --prefix "${prefix}" midclt`, copy, env), { status: 0 });
  t.same(installed(prefix), []);
});

t.test('a fresh clone makes its packages', async (t) => {
  const env = { npm_config_cache: CACHE, npm_config_prefer_offline: 'true' };
  const hasDpkg = run('dpkg-deb --version', ROOT).status === 0;
  for (const [command, made] of [
    ['npm pack', `midclt-${version}.tgz`],
    ...(hasDpkg ? ([['npm run deb', `dist/midclt_${version}_all.deb`]] as const) : []),
  ] as const) {
    const copy = clone(t);
    const { status, output } = run(command, copy, env);
    t.equal(status, 0, output);
    t.ok(fs.existsSync(`${copy}/${made}`), command);
  }
});

t.test('it is installed from git', async (t) => {
  const copy = clone(t);
  const commit = run(
    'git init -q . && git add -A && git -c user.name=a -c user.email=a@b commit -qm x',
    copy,
  );
  t.equal(commit.status, 0, commit.output);
  const prefix = `${path.dirname(copy)}/prefix`;
  const env = { npm_config_cache: CACHE, npm_config_prefer_offline: 'true' };
  const install = `npm install -g --prefix "${prefix}" "git+file://${copy}"`;
  t.match(run(install, path.dirname(copy), env), { status: 0, output: ADDED });
  t.notOk(fs.lstatSync(`${prefix}/lib/node_modules/midclt`).isSymbolicLink());
  t.match(run(`"${prefix}/bin/midclt" --version`, copy), { output: `midclt ${version}\n` });
  t.match(run(`npm uninstall -g --prefix "${prefix}" midclt`, copy, env), { status: 0 });
  t.same(installed(prefix), []);
});

t.test('where the tools can’t be had, a line says what to type', async (t) => {
  const copy = clone(t);
  const prefix = `${path.dirname(copy)}/prefix`;
  const env = { npm_config_cache: `${copy}/none`, npm_config_offline: 'true' };
  for (const command of [`npm install -g --prefix "${prefix}" .`, 'npm pack', 'npm run deb']) {
    const { status, output } = run(command, copy, env);
    t.equal(status, 1, command);
    t.match(output, `Run 'npm ci', then '${command.replace(/ --prefix \S+/, '')}'`);
    t.notMatch(output, /\n +at /, 'no stack');
  }
  t.same(installed(prefix), [], 'and nothing is left');
});
