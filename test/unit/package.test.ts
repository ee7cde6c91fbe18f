/** What npm would publish. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { makeHome } from '../support/midclt.js';
import { ROOT } from '../support/root.js';

const { files } = (
  JSON.parse(npm('pack', '--dry-run', '--json', '--ignore-scripts')) as {
    files: { path: string; size: number }[];
  }[]
)[0] ?? { files: [] };
const names = files.map((file) => file.path);

function npm(...args: string[]): string {
  const { stdout, stderr, status } = spawnSync('npm', args, { cwd: ROOT, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

const textOf = (file: string) => fs.readFileSync(path.join(ROOT, file), 'utf8');

t.test('the package has one copy of the program, its types and its documents', async (t) => {
  const kinds = new Set(names.map((name) => name.split('/').slice(0, 2).join('/')));
  const dist = [...kinds].filter((kind) => kind.startsWith('dist/')).sort();
  t.same(dist, [
    'dist/THIRD_PARTY_NOTICES',
    'dist/api',
    'dist/bin',
    'dist/completion',
    'dist/man',
    'dist/types',
  ]);
  t.same(
    names.filter((name) => name.startsWith('dist/bin/')).sort(),
    ['direct', 'full', 'midclt', 'precompile', 'profile', 'sandbox', 'thin']
      .map((name) => `dist/bin/${name}.js`)
      .concat('dist/bin/midclt')
      .sort(),
  );
  t.same(
    names.filter((name) => /\.map$|(?<!\.d)\.ts$/.test(name)),
    [],
  );
  t.ok(files.reduce((sum, { size }) => sum + size, 0) < 2_900_000);
});

t.test('it depends on no other package', async (t) => {
  const manifest = JSON.parse(textOf('package.json')) as Record<string, unknown>;
  for (const kind of ['dependencies', 'optionalDependencies', 'peerDependencies'])
    t.notOk(kind in manifest, kind);
  const types = names.filter((name) => name.endsWith('.d.ts'));
  const imported = types.flatMap((name) =>
    [...textOf(name).matchAll(/(?:from |import\()["']([^"'.][^"']*)["']/g)].map(([, from]) => from),
  );
  t.ok(types.length > 10);
  t.same(
    imported.filter((from) => !from?.startsWith('node:')),
    [],
    'nor do its types',
  );
});

t.test('it has the licence of each package whose code it has', async (t) => {
  const text = textOf('dist/THIRD_PARTY_NOTICES');
  const metas = fs.readdirSync(path.join(ROOT, 'dist')).filter((name) => /^meta-/.test(name));
  const bundled = metas.flatMap((meta) => {
    const { outputs } = JSON.parse(textOf(`dist/${meta}`)) as {
      outputs: Record<string, { inputs: Record<string, { bytesInOutput: number }> }>;
    };
    return Object.values(outputs).flatMap(({ inputs }) =>
      Object.entries(inputs)
        .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
        .flatMap(([input]) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0] ?? []),
    );
  });
  const packages = new Set(bundled);
  t.ok(packages.size > 10, `${packages.size} packages`);
  for (const folder of packages) {
    const { name, version } = JSON.parse(textOf(`${folder}/package.json`)) as Record<
      string,
      string
    >;
    t.ok(text.includes(`\n${name} ${version} (`), `${name} ${version}`);
  }
});

t.test('what is packed runs nothing where it is installed', async (t) => {
  const { withoutPrepare } = require(path.join(ROOT, 'scripts/prepare.js')) as {
    withoutPrepare: (text: string) => string;
  };
  const { scripts } = JSON.parse(withoutPrepare(textOf('package.json'))) as {
    scripts: Record<string, string>;
  };
  for (const name of ['prepare', 'preinstall', 'install', 'postinstall'])
    t.notOk(scripts[name], name);
  t.ok(scripts.test, 'the others stay');
});

t.test('publint finds nothing', async (t) => {
  const home = makeHome(t);
  npm('pack', '--ignore-scripts', '--silent', '--pack-destination', home);
  spawnSync('tar', ['xzf', fs.readdirSync(home)[0] ?? ''], { cwd: home });
  const command = [
    'node_modules/publint/src/cli.js',
    `${home}/package`,
    '--strict',
    '--pack=false',
  ];
  const { stdout, stderr, status } = spawnSync(process.execPath, command, {
    cwd: ROOT,
    encoding: 'utf8',
  });
  t.match(stdout, /All good!/);
  t.equal(status, 0, stderr);
});
