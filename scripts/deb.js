'use strict';
// Builds dist/midclt_VERSION_all.deb of what is in dist/, with dpkg-deb alone. The same sources make the same file, byte for byte:
// its times are SOURCE_DATE_EPOCH, else the commit's.
const { execFileSync, spawnSync } = require('node:child_process');
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { gzipSync } = require('node:zlib');
const manifest = require('../package.json');

const root = path.join(__dirname, '..');
const dist = path.join(root, 'dist');
const stage = path.join(dist, 'deb');
const { version } = manifest;
const maintainer = `${process.env.DEBFULLNAME ?? 'midclt'} <${process.env.DEBEMAIL ?? 'midclt@localhost'}>`;

const SHARE = 'usr/share/nodejs/midclt';
const DOC = 'usr/share/doc/midclt';
/** Where each shell looks for completions. */
const COMPLETIONS = {
  bash: 'usr/share/bash-completion/completions/midclt',
  zsh: 'usr/share/zsh/vendor-completions/_midclt',
  fish: 'usr/share/fish/vendor_completions.d/midclt.fish',
};

const epoch = Number(process.env.SOURCE_DATE_EPOCH ?? commitTime());

/** Sources that were downloaded are no repository. */
function commitTime() {
  const log = ['log', '-1', '--format=%ct'];
  const { stdout } = spawnSync('git', log, { cwd: root, encoding: 'utf8' });
  return stdout?.trim() || Math.floor(fs.statSync(path.join(root, 'package.json')).mtimeMs / 1000);
}

function put(file, content, mode = 0o644) {
  const target = path.join(stage, file);
  fs.mkdirSync(path.dirname(target), { recursive: true });
  fs.writeFileSync(target, content, { mode });
}

function link(file, target) {
  fs.mkdirSync(path.dirname(path.join(stage, file)), { recursive: true });
  fs.symlinkSync(target, path.join(stage, file));
}

const read = (file) => fs.readFileSync(path.join(root, file));
const packed = (text) => {
  const data = gzipSync(text, { level: 9 });
  data[9] = 255; // by no system in particular
  return data;
};

/** The program, and the library for what Debian's Node requires by name. */
function putProgram() {
  for (const folder of ['bin', 'api']) {
    for (const name of fs.readdirSync(path.join(dist, folder)).sort()) {
      if (/\.cache/.test(name)) continue;
      const isProgram = /^midclt(?:\.js)?$/.test(name);
      put(
        `${SHARE}/dist/${folder}/${name}`,
        read(`dist/${folder}/${name}`),
        isProgram ? 0o755 : 0o644,
      );
    }
  }
  const { name, description, license, type, main, engines } = manifest;
  const exported = Object.entries(manifest.exports).map(([key, { default: file }]) => [key, file]);
  const exports = { ...Object.fromEntries(exported), './package.json': './package.json' };
  const shown = { name, version, description, license, type, main, exports, engines };
  put(`${SHARE}/package.json`, `${JSON.stringify(shown, null, 2)}\n`);
  link('usr/bin/midclt-node', '../share/nodejs/midclt/dist/bin/midclt');
}

/** For users, and for root, whose daemon is the system's. */
function putUnits() {
  for (const kind of ['socket', 'service']) {
    const text = read(`contrib/systemd/midclt.${kind}`).toString();
    const here = text
      .replace("# Where 'command -v midclt' says it is.\n", '')
      .replace('/usr/local/bin/midclt', '/usr/bin/midclt-node');
    put(`usr/lib/systemd/user/midclt.${kind}`, here);
    put(`usr/lib/systemd/system/midclt.${kind}`, here);
  }
}

/** Man pages and completions, where the build has made them. */
function putHelp() {
  const pages = filesIn('man').filter((name) => /\.[1-8]$/.test(name));
  for (const page of pages)
    put(`usr/share/man/man${page.slice(-1)}/${page}.gz`, packed(read(`dist/man/${page}`)));
  if (pages.includes('midclt.1')) link('usr/share/man/man1/midclt-node.1.gz', 'midclt.1.gz');
  for (const name of filesIn('completion')) {
    const shell = Object.keys(COMPLETIONS).find((each) => name.endsWith(each));
    const file = COMPLETIONS[shell ?? (name.startsWith('_') ? 'zsh' : 'bash')];
    put(file, read(`dist/completion/${name}`));
    // bash and fish look for a file of the command's name; zsh reads the names in each.
    if (!name.startsWith('_'))
      link(file.replace(/midclt(?=[^/]*$)/, 'midclt-node'), path.basename(file));
  }
}

function filesIn(folder) {
  const all = fs.existsSync(path.join(dist, folder)) ? fs.readdirSync(path.join(dist, folder)) : [];
  return all.sort();
}

function putDocuments() {
  const notices = fs.readFileSync(path.join(dist, 'THIRD_PARTY_NOTICES'), 'utf8');
  put(`${DOC}/copyright`, `${read('LICENSE')}\n${'-'.repeat(80)}\n\n${notices}`);
  put(`${DOC}/README.Debian`, read('contrib/debian/README.Debian'));
  put(`${DOC}/CHANGELOG.md.gz`, packed(read('CHANGELOG.md')));
  const date = new Date(epoch * 1000).toUTCString().replace('GMT', '+0000');
  const entry = `midclt (${version}) unstable; urgency=medium\n\n  * See CHANGELOG.md.gz.\n\n -- ${maintainer}  ${date}\n`;
  put(`${DOC}/changelog.gz`, packed(entry));
}

/** Every file and folder, links among them, by name, without DEBIAN. */
function* entries(folder = '') {
  for (const entry of fs.readdirSync(path.join(stage, folder), { withFileTypes: true })) {
    const name = path.join(folder, entry.name);
    if (name === 'DEBIAN') continue;
    yield { name, entry };
    if (entry.isDirectory()) yield* entries(name);
  }
}

function putControl() {
  const files = [...entries()].filter(({ entry }) => entry.isFile()).map(({ name }) => name);
  const sums = files.sort().map((name) => {
    const content = fs.readFileSync(path.join(stage, name));
    return `${createHash('md5').update(content).digest('hex')}  ${name}\n`;
  });
  const bytes = files.reduce((sum, name) => sum + fs.statSync(path.join(stage, name)).size, 0);
  put(
    'DEBIAN/control',
    `Package: midclt
Version: ${version}
Architecture: all
Maintainer: ${maintainer}
Installed-Size: ${Math.ceil(bytes / 1024)}
Depends: nodejs (>= 20.19)
Recommends: netcat-openbsd | socat
Provides: node-midclt (= ${version})
Section: admin
Priority: optional
Description: command-line client of TrueNAS's middleware, with a daemon
 It calls the middleware of a TrueNAS, of this machine or of another. A daemon
 keeps one authenticated connection, which every later call uses.
 .
 It takes the place of the Python program midclt: the same options, the same
 output, the same exit codes.
`,
  );
  put('DEBIAN/md5sums', sums.join(''));
  for (const script of ['postinst', 'prerm'])
    put(`DEBIAN/${script}`, read(`contrib/debian/${script}`), 0o755);
}

function main() {
  fs.rmSync(stage, { recursive: true, force: true });
  putProgram();
  putUnits();
  putHelp();
  putDocuments();
  putControl();
  const folders = [...entries()].filter(({ entry }) => entry.isDirectory());
  for (const name of ['', 'DEBIAN', ...folders.map((each) => each.name)])
    fs.chmodSync(path.join(stage, name), 0o755);
  const file = path.join(dist, `midclt_${version}_all.deb`);
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(epoch) };
  for (const { name } of entries()) fs.lutimesSync(path.join(stage, name), epoch, epoch);
  fs.utimesSync(stage, epoch, epoch);
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zxz', '--build', stage, file], { env });
  fs.rmSync(stage, { recursive: true });
  console.log(path.relative(process.cwd(), file));
}

main();
