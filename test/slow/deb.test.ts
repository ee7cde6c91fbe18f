/**
 * The Debian package, installed and removed by dpkg: in an overlay over this machine's own system, so that what is changed
 * there is known to the file, and nothing is changed here. It needs root.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { ROOT } from '../support/root.js';

const { version } = JSON.parse(fs.readFileSync(`${ROOT}/package.json`, 'utf8')) as {
  version: string;
};
const DEB = path.join(ROOT, `dist/midclt_${version}_all.deb`);

/** Runs $1 in the overlay, with the package at /deb, and then prints what it has left behind. */
const IN_OVERLAY = `
set -e
mkdir -p "$PLACE" && mount -t tmpfs none "$PLACE" && cd "$PLACE" && mkdir upper work root
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
mount --bind /proc root/proc && mount --bind /dev root/dev && mount -t tmpfs none root/tmp
rm -f root/usr/bin/midclt && cp "$DEB" root/tmp/deb
chroot root /bin/sh -ec "$1"
cd upper && find . | while read -r file; do
  [ -e "/$file" ] || [ -L "/$file" ] || [ -c "$file" ] || echo "left: \${file#.}"
done | grep -vE 'left: /(var/lib/dpkg|var/log|var/cache|tmp|run)/'
`;

function inOverlay(script: string): { stdout: string; stderr: string; status: number | null } {
  const place = fs.mkdtempSync('/tmp/deb-');
  const env = {
    PATH: process.env.PATH,
    PLACE: place,
    DEB,
    HOME: '/root',
    LC_ALL: 'C',
    DEBIAN_FRONTEND: 'noninteractive',
  };
  const run = ['--mount', '--propagation', 'private', '/bin/sh', '-c', IN_OVERLAY, 'sh', script];
  const { stdout, stderr, status } = spawnSync('unshare', run, { env, encoding: 'utf8' });
  fs.rmdirSync(place);
  return { stdout, stderr, status };
}

const build = (env: NodeJS.ProcessEnv = {}) =>
  spawnSync(process.execPath, ['scripts/deb.js'], {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });

const hasDpkg = spawnSync('dpkg-deb', ['--version']).status === 0;
const skip = hasDpkg ? false : 'needs dpkg-deb';
if (hasDpkg) build();
const canOverlay = hasDpkg && process.getuid?.() === 0 && inOverlay('exit 0').stderr === '';

t.test('the same sources make the same package', { skip }, async (t) => {
  const env = { SOURCE_DATE_EPOCH: '1700000000' };
  const built = [1, 2].map(() => {
    t.match(build(env), { status: 0 });
    return fs.readFileSync(DEB);
  });
  t.ok(built[0]?.equals(built[1] ?? Buffer.alloc(0)));
  t.match(
    build({ GIT_DIR: '/nowhere' }),
    { status: 0, stderr: '' },
    'nor need they be a repository',
  );
});

/** What lintian says of it that is meant to be so. */
const MEANT = [
  'bogus-mail-host', // DEBEMAIL says who builds it
  'maintainer-script-calls-systemctl', // debhelper's snippets would need debhelper
  'no-manual-page', // where the build made none
];

t.test('lintian finds nothing', { skip }, async (t) => {
  const { error, stdout } = spawnSync('lintian', ['--allow-root', DEB], { encoding: 'utf8' });
  if (error) t.comment('there is no lintian here');
  else
    t.same(
      stdout.split('\n').filter((line) => line && !MEANT.some((tag) => line.includes(tag))),
      [],
    );
});

t.test(
  'it is installed, works, and leaves nothing',
  { skip: !canOverlay && 'needs root and an overlay' },
  async (t) => {
    const { stdout, stderr, status } = inOverlay(`
    dpkg --force-depends -i /tmp/deb >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }
    midclt-node --version
    for file in bash-completion/completions/midclt fish/vendor_completions.d/midclt.fish; do
      cmp /usr/share/$file /usr/share/\${file%midclt*}midclt-node\${file##*/midclt}
    done
    readlink -f /usr/bin/midclt
    ls /usr/share/nodejs/midclt/dist/bin | grep -c cache
    cd /tmp && install -d -m 700 -o 1234 -g 1234 home
    cat > call <<'CALL'
      export HOME=/tmp/home MIDCLT_HOME=/tmp/home/m
      midclt sandbox --unix /tmp/home/box >/dev/null &
      until [ -S /tmp/home/box ]; do :; done
      U=ws+unix:///tmp/home/box
      midclt -u $U call core.ping
      midclt -u $U -d call core.ping
      midclt -u $U -d call test.echo launcher
      midclt -u $U daemon-stop 2>&1
      kill $!
CALL
    setpriv --reuid 1234 --regid 1234 --clear-groups sh call
    NODE_PATH=/usr/share/nodejs node -p 'typeof require("midclt").connect + typeof require("midclt/sandbox").startSandbox'
    ! command -v systemd-analyze >/dev/null || systemd-analyze verify /usr/lib/systemd/system/midclt.socket /usr/lib/systemd/system/midclt.service
    dpkg --force-depends -i /tmp/deb >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }
    midclt --version
    dpkg --purge midclt >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }
    ! [ -L /usr/bin/midclt ]
    rm -rf /tmp/home
  `);
    const program = '/usr/share/nodejs/midclt/dist/bin/midclt';
    const answers = 'pong\npong\n["launcher"]\nDaemon shutting down\n';
    t.equal(
      stdout,
      `midclt ${version}\n${program}\n5\n${answers}functionfunction\nmidclt ${version}\n`,
      stderr,
    );
    t.notMatch(stderr, /midclt|warning/i);
    t.not(status, null);
  },
);

t.test(
  'the original stays what it is, and may be put aside',
  { skip: !canOverlay && 'needs root and an overlay' },
  async (t) => {
    const readme = fs.readFileSync(`${ROOT}/contrib/debian/README.Debian`, 'utf8');
    const commands = [...readme.matchAll(/^ {2}((?:dpkg|update)\S* .*)$/gm)].map(
      ([, each]) => each ?? '',
    );
    t.equal(commands.length, 4);
    const { stdout, stderr } = inOverlay(`
    printf '#!/bin/sh\\necho original\\n' >/usr/bin/midclt
    chmod 755 /usr/bin/midclt
    dpkg --force-depends -i /tmp/deb >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }
    midclt
    midclt-node --version
    { ${commands.slice(0, 2).join(' && ')}; } >/dev/null
    midclt --version
    midclt-python
    { ${commands.slice(2).join(' && ')}; } >/dev/null
    midclt
    dpkg --remove midclt >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }
    midclt
    rm /usr/bin/midclt
  `);
    const ours = `midclt ${version}\n`;
    t.equal(stdout, `original\n${ours}${ours}original\noriginal\noriginal\n`, stderr);
  },
);

t.test("launchd's file is a property list of what the program takes", async (t) => {
  const file = `${ROOT}/contrib/launchd/midclt.daemon.plist`;
  const python = `import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb'))))`;
  const { error, stdout, stderr } = spawnSync('python3', ['-c', python, file], {
    encoding: 'utf8',
  });
  if (error) return t.comment('there is no python3 here');
  t.equal(stderr, '');
  const list = JSON.parse(stdout) as Record<string, unknown>;
  t.match(list, { Label: path.basename(file, '.plist'), RunAtLoad: true, Umask: 0o077 });
  const [node = '', program = '', ...words] = list.ProgramArguments as string[];
  t.ok(path.isAbsolute(node) && program.endsWith('/midclt/dist/bin/midclt.js'));
  const run = spawnSync(process.execPath, ['dist/bin/midclt.js', ...words, '-h'], { cwd: ROOT });
  t.equal(run.status, 0);
});
